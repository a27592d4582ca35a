"""The file system of fsspec on blobs, adlfs: what Dask, pandas and others read and
write through."""

import os

import fsspec
import pytest

MIB = 1 << 20


@pytest.fixture
def fs(connection_string):
    fs = fsspec.filesystem("abfs", connection_string=connection_string, skip_instance_cache=True)
    yield fs
    fs.clear_instance_cache()


@pytest.fixture
def root(box):
    return box.container_name


def test_write_read_and_append(fs, root):
    body = os.urandom(9 * MIB + 5)
    with fs.open(f"{root}/a/big", "wb", blocksize=4 * MIB) as f:
        for i in range(0, len(body), MIB):
            f.write(body[i : i + MIB])
    assert fs.info(f"{root}/a/big")["size"] == len(body)
    with fs.open(f"{root}/a/big", "rb") as f:
        f.seek(5 * MIB)
        assert f.read(100) == body[5 * MIB : 5 * MIB + 100]
        f.seek(0)
        assert f.read() == body
    assert fs.cat_file(f"{root}/a/big", start=10, end=20) == body[10:20]


def test_tree(fs, root):
    for name in ["a/1", "a/2", "a/b/3", "c"]:
        fs.pipe_file(f"{root}/{name}", name.encode())
    assert sorted(fs.ls(root, detail=False)) == [f"{root}/a", f"{root}/c"]
    assert fs.find(root) == [f"{root}/{n}" for n in ["a/1", "a/2", "a/b/3", "c"]]
    assert fs.glob(f"{root}/a/*") == [f"{root}/a/1", f"{root}/a/2", f"{root}/a/b"]
    assert fs.isdir(f"{root}/a") and fs.isfile(f"{root}/c") and not fs.exists(f"{root}/nothing")
    assert fs.du(root) == 12
    with pytest.raises(FileNotFoundError):
        fs.cat_file(f"{root}/nothing")


def test_put_get_copy_move_remove(fs, root, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x y").write_bytes(b"one")
    (tmp_path / "in" / "z").write_bytes(b"")
    fs.put(f"{tmp_path}/in/", f"{root}/up/", recursive=True)
    fs.get(f"{root}/up/", f"{tmp_path}/out/", recursive=True)
    assert (tmp_path / "out" / "x y").read_bytes() == b"one" and (tmp_path / "out" / "z").read_bytes() == b""
    fs.cp_file(f"{root}/up/z", f"{root}/z")
    fs.mv(f"{root}/up/x y", f"{root}/moved")
    assert fs.cat_file(f"{root}/moved") == b"one" and not fs.exists(f"{root}/up/x y")
    fs.rm(f"{root}/up", recursive=True)
    assert fs.find(root) == [f"{root}/moved", f"{root}/z"]


def test_created_only_once(fs, root):
    fs.pipe_file(f"{root}/x", b"one", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{root}/x", b"two", mode="create")
    assert fs.cat_file(f"{root}/x") == b"one"
