from hypothesis import given
from hypothesis import strategies as st

from cti.codes import is_code, make_code

codes = st.integers(0, 999_999).map(make_code)


@given(codes)
def test_a_made_code_is_one(code: str) -> None:
    assert len(code) == 7 and is_code(code)


@given(codes, st.integers(0, 6), st.integers(1, 9))
def test_every_single_wrong_digit_is_noticed(code: str, place: int, off: int) -> None:
    wrong = (int(code[place]) + off) % 10
    assert not is_code(f"{code[:place]}{wrong}{code[place + 1 :]}")


@given(codes, st.integers(0, 5))
def test_every_swap_of_neighbours_is_noticed(code: str, place: int) -> None:
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or not is_code(swapped)


@given(st.text(max_size=12))
def test_anything_may_be_typed(text: str) -> None:
    assert not is_code(text) or (len(text) == 7 and text.isascii() and text.isdigit())
