"""Two things of PJSIP's C API that the `pjsua2` wheel does not offer, through ctypes: its event loop, and where RTP is.

Without the second, PJSIP writes the address of the default route into its SDP, whatever address SIP is bound to, and
takes RTP ports from 4000 up.
"""

from __future__ import annotations

import ctypes
import glob
import os
import struct
from collections.abc import Callable

import pjsua2

# struct pjsua_transport_config (pjsua.h): port, port_range, randomize_port, then two pj_str_t {char *ptr; long slen}.
_TRANSPORT = struct.Struct("IIi4xQqQq")
_DEFAULT_RTP_PORT = 4000
_CONFIG_BYTES = 32768  # pjsua_acc_config is about 4.5 kB
_POOL_BYTES = ctypes.c_size_t(4000)


class UnknownLayout(Exception):
    """This build of PJSIP lays its account settings out otherwise."""


def _library() -> ctypes.CDLL:
    folder = os.path.join(os.path.dirname(pjsua2.__file__ or ""), "pjsua2_pybind11.libs")
    (path,) = glob.glob(os.path.join(folder, "libpjsua-*.so*"))
    library = ctypes.CDLL(path)
    library.pjsua_pool_create.restype = ctypes.c_void_p
    library.pjsua_acc_get_config.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    library.pjsua_acc_modify.argtypes = [ctypes.c_int, ctypes.c_void_p]
    library.pjsua_handle_events.argtypes = [ctypes.c_uint]
    return library


def event_loop() -> Callable[[int], int]:
    """`pjsua_handle_events(milliseconds)`: waits that long at most for something to do, and does it."""
    return _library().pjsua_handle_events


def set_media_address(account_id: int, host: str, first_port: int) -> None:
    """Bind and announce an account's RTP at `host`, ports from `first_port` up. Raises UnknownLayout."""
    library = _library()
    # The pool holds the texts of the copy; it goes with the library, accounts are few.
    pool = library.pjsua_pool_create(b"media-address", _POOL_BYTES, _POOL_BYTES)
    config = ctypes.create_string_buffer(_CONFIG_BYTES)
    try:
        library.pjsua_acc_get_config(account_id, pool, config)
        (offset,) = _rtp_settings(config.raw)
        address = ctypes.create_string_buffer(host.encode())
        text = (ctypes.addressof(address), len(host))
        _TRANSPORT.pack_into(config, offset, first_port, 0, 0, *text, *text)
        library.pjsua_acc_modify(account_id, config)  # copies the texts into the account's own pool
    except ValueError:
        raise UnknownLayout("no single RTP transport setting found") from None


def _rtp_settings(raw: bytes) -> list[int]:
    """Where `rtp_cfg` stands: the only aligned place with the default port and two empty texts."""
    found = []
    for offset in range(0, len(raw) - _TRANSPORT.size, 8):
        port, span, randomize, _, public_length, bound, bound_length = _TRANSPORT.unpack_from(raw, offset)
        if (port, span, randomize, public_length, bound_length) == (_DEFAULT_RTP_PORT, 0, 0, 0, 0) and bound:
            found.append(offset)
    return found
