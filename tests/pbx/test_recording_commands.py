"""`plateau recording export`."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from typer.testing import CliRunner

from media.worker.recording_file import PCM, Encipherer, wav_header
from pbx.__main__ import app
from pbx.store.journal import Journal
from pbx.store.recordings import RecordingRow, RecordingStore

KEY = "0123456789abcdef" * 4
SITE = """
site: test
listen: {{sip: [udp:127.0.0.1:5060]}}
records: {{url: "sqlite:///{0}/plateau.db"}}
recordings: {{folder: kept, key: "{1}"}}
"""
SOUND = b"\x01\x02\x03\x04" * 5000


async def keep(folder: Path) -> None:
    url = f"sqlite:///{folder}/plateau.db"
    journal = Journal(url, 100, Counter())
    await journal.open()
    store = RecordingStore(url)
    await store.open()
    row = RecordingRow("c1.1", "c1", None, None, None, 1.0, 2.0, 1.0, "d/c1.wav.aes", "wav", 1, "[]", 1, "call ended")
    store.save(row)
    store.save(row._replace(id="c2.1", file="d/none.wav"))
    store.save(row._replace(id="c3.1", deleted_at=5.0))
    await store.close()
    await journal.close()
    out = Encipherer(bytes.fromhex(KEY), PCM, 2, 8000, 16_000)
    (folder / "kept" / "d").mkdir(parents=True)
    data = out.header + out.piece(SOUND[:16_000], last=False) + out.piece(SOUND[16_000:], last=True)
    (folder / "kept" / "d" / "c1.wav.aes").write_bytes(data)


def export(site: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["recording", "export", str(site), *arguments])
    return result.exit_code, result.output.replace("\n", " ")


def test_export(tmp_path: Path) -> None:
    asyncio.run(keep(tmp_path))
    site, target = tmp_path / "site.yaml", tmp_path / "out.wav"
    site.write_text(SITE.format(tmp_path, KEY))
    status, said = export(site, "c1.1", "-o", str(target))
    assert status == 0 and "20,044 bytes" in said
    assert target.read_bytes() == wav_header(8000, 2, len(SOUND)) + SOUND
    assert export(site, "c1.1", "-o", str(target))[0] == 2  # nothing is overwritten
    for wrong, text in (("c9.1", "no recording c9.1"), ("c3.1", "was deleted"), ("c2.1", "No such file")):
        status, said = export(site, wrong, "-o", str(tmp_path / wrong))
        assert status == 1 and text in said
        assert not (tmp_path / wrong).exists()
    site.write_text(SITE.format(tmp_path, KEY[::-1]))
    status, said = export(site, "c1.1", "-o", str(tmp_path / "x"))
    assert status == 1 and "another key than recordings.key" in said
