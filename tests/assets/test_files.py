import errno
import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from assets.errors import AssetError
from assets.files import atomic_write, cache_dir, digest_file, one_line, safe_extract


def refused(*needles: str):
    """The block raises an AssetError of one line that contains all of these."""
    return pytest.raises(AssetError, match="(?s)^(?!.*\n)" + "".join(f"(?=.*(?:{needle}))" for needle in needles))


def test_atomic_write_replaces_only_when_whole(tmp_path):
    target = tmp_path / "sub" / "a.exr"
    with atomic_write(target) as temporary:
        assert temporary.suffix == ".exr" and temporary.parent == target.parent
        temporary.write_bytes(b"one")
        assert not target.exists()
    with pytest.raises(RuntimeError), atomic_write(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("interrupted")
    assert target.read_bytes() == b"one"
    assert os.listdir(target.parent) == ["a.exr"]


def test_atomic_write_says_disk_full(tmp_path):
    with (
        refused("a.bin", "disk full", "needs 1,152,921,504,606,846,976", "has"),
        atomic_write(tmp_path / "a.bin", 1 << 60),
    ):
        pytest.fail("must refuse before anything is written")
    with refused("a.bin", "disk full"), atomic_write(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"x")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_atomic_write_under_a_file_size_limit(tmp_path):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from assets.files import atomic_write\nfrom assets.errors import AssetError\n"
        "try:\n  with atomic_write(sys.argv[1]) as t: t.write_bytes(bytes(100000))\n"
        "except AssetError as e: print(e)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.bin"], cwd=root, capture_output=True, text=True)
    assert "a.bin: needs more than 4,096 bytes, beyond" in done.stdout, done
    assert os.listdir(tmp_path) == []


def test_digest_and_cache_dir(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_file(tmp_path / "a") == "3619b2e9832d748d745e"  # printf abc | b2sum -l 80
    with refused("missing", "no such file"):
        digest_file(tmp_path / "missing")
    with refused("is a folder"):
        digest_file(tmp_path)
    monkeypatch.setenv("PIXELCUBE_CACHE", str(tmp_path / "cache"))
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("PIXELCUBE_CACHE")
    assert cache_dir().name == "pixelcube"


def test_one_line_survives_any_name():
    assert "\n" not in one_line("a\nb\x1b[31m\u2028c\0") and "\x1b" not in one_line("\x1b")


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_safe_extract_unpacks_tar_and_zip(tmp_path):
    tar = make_tar(tmp_path / "a.tar.gz", (member("d", tarfile.DIRTYPE), b""), (member("d/x.txt"), b"hello"))
    assert safe_extract(tar, tmp_path / "out") == [tmp_path / "out/d/x.txt"]
    assert (tmp_path / "out/d/x.txt").read_bytes() == b"hello"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("e/y.txt", "there")
    safe_extract(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out/e/y.txt").read_text() == "there"
    assert sorted(os.listdir(tmp_path / "out")) == ["d", "e"]
    with refused("there twice, or exists"):
        safe_extract(tar, tmp_path / "out")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (member("../evil"), "outside"),
        (member("ok/../../evil"), "outside"),
        (member("/etc/evil"), "outside"),
        (member("..\\evil"), "outside"),
        (member("C:/evil"), "outside"),
        (member("link", tarfile.SYMTYPE, "/etc/passwd"), "link or device"),
        (member("hard", tarfile.LNKTYPE, "good.txt"), "link or device"),
        (member("pipe", tarfile.FIFOTYPE), "link or device"),
        (member("device", tarfile.CHRTYPE), "link or device"),
        (member("good.txt"), "twice"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else None,
)
def test_safe_extract_refuses_hostile_members_and_writes_nothing(tmp_path, bad, why):
    tar = make_tar(tmp_path / "a.tar.gz", (member("good.txt"), b"good"), (bad, b"evil" if bad.isreg() else b""))
    with refused("a.tar.gz", why):
        safe_extract(tar, tmp_path / "out")
    assert not (tmp_path / "evil").exists() and not list((tmp_path / "out").glob("*"))


def test_safe_extract_refuses_bombs_links_and_broken_archives(tmp_path):
    bomb = make_tar(tmp_path / "bomb.tar.gz", (member("zeros"), bytes(1 << 20)))
    with refused("bomb.tar.gz", "limit of 1,000 bytes"):
        safe_extract(bomb, tmp_path / "out", max_bytes=1000)
    with refused("more than 1 members"):
        safe_extract(make_tar(tmp_path / "b.tar.gz", (member("a"), b""), (member("b"), b"")), tmp_path, max_members=1)
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with refused("link.zip", "link or device"):
        safe_extract(tmp_path / "link.zip", tmp_path / "out")
    pax = tarfile.TarInfo("x")
    pax.type, pax.size = tarfile.XHDTYPE, 1 << 32
    with gzip.open(tmp_path / "pax.tar.gz", "wb") as file:
        file.write(pax.tobuf() + bytes(1 << 22))
    with refused("pax.tar.gz", "extended header of 4,294,967,296 bytes"):
        safe_extract(tmp_path / "pax.tar.gz", tmp_path / "out")
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(bomb.read_bytes()[:200])
    with refused("cut.tar.gz", "broken archive"):
        safe_extract(cut, tmp_path / "out")
    (tmp_path / "text.tar").write_text("not a tar")
    with refused("text.tar", "broken archive"):
        safe_extract(tmp_path / "text.tar", tmp_path / "out")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/d").symlink_to(tmp_path / "elsewhere")
    with refused("through a link"):
        safe_extract(make_tar(tmp_path / "d.tar.gz", (member("d/x"), b"x")), tmp_path / "inside")
