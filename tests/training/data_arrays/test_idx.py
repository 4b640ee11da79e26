"""IDX files: bytes written by hand, the names that are found, and every way to be damaged."""

import gzip
import struct

import numpy as np
import pytest

from slaf_automl.training.data.arrays import TEST, TO_SPLIT, read_idx

# Two images of 2 x 3 pixels and their labels, byte by byte as the format's description has them.
IMAGES = bytes.fromhex("00000803 00000002 00000002 00000003 00010203 04ff0607 08090aff")
LABELS = bytes.fromhex("00000801 00000002 0709")
# Three test images and labels.
TEST_IMAGES = bytes.fromhex("00000803 00000003 00000002 00000003") + bytes(range(100, 118))
TEST_LABELS = bytes.fromhex("00000801 00000003 010203")


@pytest.fixture
def mnist(tmp_path):
    """Write MNIST's four files, some of them replaced or left out; return their folder."""

    def write(*, dots=False, gz=False, **contents):
        files = {
            "train-images-idx3-ubyte": contents.get("images", IMAGES),
            "train-labels-idx1-ubyte": contents.get("labels", LABELS),
            "t10k-images-idx3-ubyte": contents.get("test_images", TEST_IMAGES),
            "t10k-labels-idx1-ubyte": contents.get("test_labels", TEST_LABELS),
        }
        for name, content in files.items():
            if content is not None:
                name = name.replace("-idx", ".idx") if dots else name
                if gz:
                    name, content = name + ".gz", gzip.compress(content)
                (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


def idx(kind, *sizes, values=b""):
    """Return a file of a type's code and its sizes."""
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, len(sizes), *sizes) + values


@pytest.mark.parametrize("dots", [False, True])
@pytest.mark.parametrize("gz", [False, True])
def test_hand_made_bytes_are_read_as_they_stand(mnist, dots, gz):
    held = read_idx(mnist(dots=dots, gz=gz))
    assert held.x.dtype == np.uint8
    assert held.x[:2].tolist() == [[[0, 1, 2], [3, 4, 255]], [[6, 7, 8], [9, 10, 255]]]
    assert held.x[2:].reshape(-1).tolist() == list(range(100, 118))
    assert held.y.tolist() == [7, 9, 1, 2, 3]
    assert held.part.tolist() == [TO_SPLIT] * 2 + [TEST] * 3
    assert (held.image, held.target) == ((1, 2, 3), "label")


def test_training_files_alone_leave_all_to_split(mnist):
    held = read_idx(mnist(test_images=None, test_labels=None))
    assert (len(held.x), held.part) == (2, None)


def test_an_unpacked_file_is_taken_before_its_archive(mnist):
    mnist(gz=True)
    folder = mnist(images=IMAGES[:-1] + b"\x05")
    assert read_idx(folder).x[1, 1, 2] == 5


def test_compression_is_seen_in_the_content(mnist):
    folder = mnist()
    packed = folder / "train-images-idx3-ubyte"
    packed.write_bytes(gzip.compress(IMAGES))
    (folder / "train-labels-idx1-ubyte").rename(folder / "train-labels-idx1-ubyte.gz")
    assert read_idx(folder).y.tolist() == [7, 9, 1, 2, 3]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"])
def test_one_images_file_is_read_with_the_labels_beside_it(mnist, name):
    held = read_idx(mnist() / name)
    assert held.part is None
    assert held.y.tolist() == ([7, 9] if name.startswith("train") else [1, 2, 3])


def test_files_of_ones_own_name(mnist, tmp_path):
    (tmp_path / "letters.images.idx3-ubyte").write_bytes(IMAGES)
    (tmp_path / "letters.labels.idx1-ubyte").write_bytes(LABELS)
    assert read_idx(str(tmp_path / "letters.images.idx3-ubyte")).y.tolist() == [7, 9]


@pytest.mark.parametrize(
    ("kind", "code", "values"),
    [
        (0x08, "B", [0, 255]),
        (0x09, "b", [-1, 127]),
        (0x0B, "h", [-2, 258]),
        (0x0C, "i", [-3, 16_909_060]),
        (0x0D, "f", [0.5, -1.25]),
        (0x0E, "d", [0.1, -1e30]),
    ],
)
def test_every_type_is_big_endian_in_the_file_and_native_in_memory(mnist, kind, code, values):
    held = read_idx(
        mnist(
            images=idx(kind, 2, 1, 2, values=struct.pack(f">4{code}", *values, *values)),
            test_images=None,
            test_labels=None,
        )
    )
    assert held.x.dtype.isnative
    assert held.x.dtype.char == np.dtype(code).char
    assert held.x.tolist() == [[values], [values]]


def test_rows_and_colour_images_too(mnist):
    files = {"test_images": None, "test_labels": None}
    flat = mnist(images=idx(8, 2, 3, values=bytes(6)), **files)
    assert read_idx(flat).image is None
    colour = mnist(images=idx(8, 2, 3, 1, 2, values=bytes(12)), **files)
    assert read_idx(colour).image == (3, 1, 2)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"images": b"\x89PNG" + bytes(40)}, ["train-images-idx3-ubyte is not an IDX", "89 50 4e"]),
        ({"images": idx(0x0A, 2, 1, 1)}, ["not an IDX file: it begins with 00 00 0a 03"]),
        ({"images": b"\x01" + IMAGES[1:]}, ["not an IDX file: it begins with 01 00 08 03"]),
        ({"images": b""}, ["cut short: it ends in its header"]),
        ({"images": IMAGES[:9]}, ["cut short: it ends in its header"]),
        ({"images": IMAGES[:-1]}, ["holds 11 bytes of values", "12 (2 x 2 x 3 of 1 bytes)"]),
        ({"images": IMAGES + b"\0"}, ["holds more than 12 bytes of values"]),
        ({"images": idx(8, 2, 2**16, 2**15)}, ["holds at most 16 bytes", "4,294,967,296"]),
        ({"labels": LABELS[:-1]}, ["train-labels-idx1-ubyte holds 1 bytes of values"]),
        ({"labels": IMAGES}, ["labels-idx1-ubyte has 3 dimensions; expected 1", "changed places"]),
        ({"images": LABELS}, ["images-idx3-ubyte has 1 dimensions; expected 2 or 3 or 4"]),
        ({"images": IMAGES, "labels": TEST_LABELS}, ["holds 2 images, train-labels-idx1-ubyte 3"]),
        ({"test_labels": LABELS}, ["t10k-images-idx3-ubyte holds 3 images", "2 labels"]),
        (
            {"test_images": idx(8, 3, 3, 2, values=bytes(18))},
            ["images of the shape (3, 2) and uint8, train-images-idx3-ubyte (2, 3) and uint8"],
        ),
        (
            {"test_images": idx(9, 3, 2, 3, values=bytes(18))},
            ["images of the shape (2, 3) and int8, train-images-idx3-ubyte (2, 3) and uint8"],
        ),
        ({"labels": None}, ["holds no train-labels-idx1-ubyte"]),
        ({"images": None}, ["holds no train-images-idx3-ubyte"]),
        ({"images": None, "labels": None}, ["holds no train-images-idx3-ubyte"]),
        ({"test_labels": None}, ["holds no t10k-labels-idx1-ubyte"]),
        ({"test_images": None}, ["holds no t10k-images-idx3-ubyte"]),
        (
            {
                "images": idx(8, 0, 2, 3),
                "labels": idx(8, 0),
                "test_images": None,
                "test_labels": None,
            },
            ["has no rows"],
        ),
    ],
)
def test_damaged_files_are_named_in_one_line(mnist, complaint, contents, words):
    folder = mnist(**contents)
    message = complaint(read_idx, folder)
    assert str(folder) in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize("kept", [-1, -9, 30, 12])
def test_a_truncated_gzip_is_cut_short(mnist, complaint, kept):
    folder = mnist(gz=True)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{path} is cut short: its gzip stream has no end" in complaint(read_idx, folder)


@pytest.mark.parametrize("place", [-6, 15, 2])
def test_a_changed_byte_in_a_gzip_is_found(mnist, complaint, place):
    folder = mnist(gz=True)
    path = folder / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    message = complaint(read_idx, folder)
    assert f"{path} is damaged" in message or f"{path} is not an IDX file" in message


def test_a_gzip_that_announces_more_than_it_can_hold_takes_no_memory(mnist, complaint):
    folder = mnist(gz=True, images=idx(8, 2, 2**31, 2**31))
    message = complaint(read_idx, folder)
    assert "holds at most" in message
    assert "9,223,372,036,854,775,808" in message


def test_missing_and_misnamed_files(mnist, complaint):
    folder = mnist(test_labels=None)
    message = complaint(read_idx, folder / "t10k-images-idx3-ubyte")
    assert "no labels beside" in message
    assert "t10k-labels-idx1-ubyte" in message
    message = complaint(read_idx, folder / "train-labels-idx1-ubyte")
    assert "is not named as IDX images are" in message
    missing = folder / "no-images-idx3-ubyte"
    assert f"no such file: {missing}" in complaint(read_idx, missing)
