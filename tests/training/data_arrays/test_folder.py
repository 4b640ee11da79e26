"""Folders of images: layouts, kinds of pixels, order, and what is refused by name."""

import sys

import numpy as np
import pytest

from slaf_automl.errors import SlafError
from slaf_automl.training.data.arrays import (
    TEST,
    TO_SPLIT,
    TRAINING,
    VALIDATION,
    read_image_folder,
)

Image = pytest.importorskip("PIL.Image")


def picture(path, value=0, *, mode="L", size=(5, 4), **options):
    """Write an image of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path, **options)
    return path


@pytest.fixture
def animals(tmp_path):
    """Two classes of two images each: 0 and 1 are cats, 2 and 3 dogs."""
    for i, name in enumerate(["cat/a.png", "cat/b.png", "dog/a.png", "dog/b.png"]):
        picture(tmp_path / name, i)
    return tmp_path


def test_folders_are_classes_and_names_give_the_order(animals):
    held = read_image_folder(animals)
    assert (held.x.dtype, held.x.shape, held.image) == (np.uint8, (4, 4, 5), (1, 4, 5))
    assert held.x[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert held.y.tolist() == ["cat", "cat", "dog", "dog"]
    assert (held.part, held.target, held.source) == (None, "label", str(animals))


def test_pixels_stand_where_they_stood(tmp_path):
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    colour = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    for folder, pixels in (("grey", grey), ("colour", colour)):
        for name in "ab":
            path = tmp_path / folder / name / "0.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(pixels).save(path)
    assert np.array_equal(read_image_folder(tmp_path / "grey").x[1], grey)
    held = read_image_folder(tmp_path / "colour")
    assert held.image == (3, 4, 5)
    assert np.array_equal(held.x[1], colour.transpose(2, 0, 1))


@pytest.mark.parametrize("validation", [None, "val", "validation"])
def test_given_parts(tmp_path, validation):
    for i, part in enumerate(["test", "train"] + [validation] * bool(validation)):
        for name in ("a", "b"):
            picture(tmp_path / part / name / "0.png", 10 * i)
    held = read_image_folder(tmp_path)
    if validation:
        assert held.part.tolist() == [TRAINING] * 2 + [VALIDATION] * 2 + [TEST] * 2
        assert held.x[:, 0, 0].tolist() == [10, 10, 20, 20, 0, 0]
    else:
        assert held.part.tolist() == [TO_SPLIT] * 2 + [TEST] * 2
        assert held.x[:, 0, 0].tolist() == [10, 10, 0, 0]
    assert held.y.tolist() == ["a", "b"] * (len(held.y) // 2)


def test_training_images_alone_below_train(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / "train" / name / "0.png")
    held = read_image_folder(tmp_path)
    assert (held.y.tolist(), held.part) == (["a", "b"], None)


def test_a_class_may_be_called_train(tmp_path):
    for name in ("car", "train"):
        picture(tmp_path / name / "0.png")
    assert read_image_folder(tmp_path).y.tolist() == ["car", "train"]


@pytest.mark.parametrize("ending", ["png", "PNG", "jpg", "jpeg", "bmp", "gif", "webp", "tif"])
def test_every_format(tmp_path, ending):
    for name in ("a", "b"):
        picture(tmp_path / name / f"0.{ending}", 128, format={"webp": "WEBP"}.get(ending))
    held = read_image_folder(tmp_path)
    assert held.x.shape[-2:] == (4, 5)
    assert abs(held.x.astype(int) - 128).max() <= 2


@pytest.mark.parametrize(
    ("mode", "value", "channels", "pixel"),
    [
        ("1", 1, 1, [255]),
        ("L", 7, 1, [7]),
        ("LA", (7, 100), 1, [7]),
        ("RGB", (1, 2, 3), 3, [1, 2, 3]),
        ("RGBA", (1, 2, 3, 100), 3, [1, 2, 3]),
    ],
)
def test_modes_become_greyscale_or_colour(tmp_path, mode, value, channels, pixel):
    for name in ("a", "b"):
        picture(tmp_path / name / "0.png", value, mode=mode)
    held = read_image_folder(tmp_path)
    assert held.image == (channels, 4, 5)
    assert held.rows().reshape(2, channels, 20)[0, :, 0].tolist() == pixel


@pytest.mark.parametrize("transparency", [None, 0, b"\x00\x80\xff"])
def test_a_palette_becomes_colour(tmp_path, transparency):
    image = Image.new("P", (5, 4), 1)
    image.putpalette([9, 9, 9, 40, 50, 60, 1, 1, 1])
    options = {} if transparency is None else {"transparency": transparency}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "0.png", **options)
    assert read_image_folder(tmp_path).x[0, :, 0, 0].tolist() == [40, 50, 60]


def test_hidden_files_and_folders_are_passed_over(animals):
    (animals / ".DS_Store").write_bytes(b"x")
    (animals / "cat" / "._a.png").write_bytes(b"x")
    (animals / ".cache").mkdir()
    assert len(read_image_folder(str(animals)).x) == 4


def test_links_to_folders_are_followed(animals, tmp_path_factory):
    root = tmp_path_factory.mktemp("links")
    for name in ("cat", "dog"):
        (root / name).symlink_to(animals / name)
    assert read_image_folder(root).y.tolist() == ["cat", "cat", "dog", "dog"]


def test_mixed_sizes_name_the_file(animals, complaint):
    odd = picture(animals / "dog" / "a.png", size=(6, 4))
    message = complaint(read_image_folder, animals)
    assert f"{odd} has 6 x 4 pixels in greyscale" in message
    assert f"{animals / 'cat' / 'a.png'} 5 x 4 pixels in greyscale" in message


def test_mixed_channels_name_the_file(animals, complaint):
    odd = picture(animals / "dog" / "b.png", (1, 2, 3), mode="RGB")
    message = complaint(read_image_folder, animals)
    assert f"{odd} has 5 x 4 pixels in colour" in message
    assert "one size and one number of channels" in message


@pytest.mark.parametrize("content", [b"", b"not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_is_named(animals, complaint, content):
    broken = animals / "cat" / "b.png"
    broken.write_bytes(content)
    message = complaint(read_image_folder, animals)
    assert message.startswith(f"{broken} cannot be read as an image: cannot identify image file;")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "webp", "tif"])
@pytest.mark.parametrize("kept", [0.5, 0.7, 0.9])
def test_truncated_images_are_named(tmp_path, complaint, ending, kept):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        path = tmp_path / name / f"0.{ending}"
        path.parent.mkdir()
        Image.fromarray(rng.integers(0, 256, (30, 40), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert f"{path} cannot be read as an image" in complaint(read_image_folder, tmp_path)


def test_several_images_in_a_file_are_refused(animals, complaint):
    path = animals / "cat" / "b.gif"
    frames = [Image.new("L", (5, 4), value) for value in (0, 255, 9)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert f"{path} holds 3 images; expected one" in complaint(read_image_folder, animals)


def test_more_than_eight_bits_are_refused(animals, complaint):
    path = animals / "cat" / "a.png"
    Image.fromarray(np.full((4, 5), 1000, np.uint16)).save(path)
    message = complaint(read_image_folder, animals)
    assert f"{path} has pixels of the mode I;16; expected eight bits a channel" in message


def test_other_files_are_counted_and_named(animals, complaint):
    (animals / "dog" / "notes.txt").write_text("x")
    (animals / "dog" / "more.csv").write_text("x")
    message = complaint(read_image_folder, animals)
    assert f"2 files are no image, such as {animals / 'dog' / 'more.csv'}" in message
    (animals / "dog" / "more.csv").unlink()
    (animals / "dog" / "notes.txt").rename(animals / "labels.txt")
    message = complaint(read_image_folder, animals)
    assert f"1 file is no image, such as {animals / 'labels.txt'}" in message


def test_images_of_no_class_are_named(animals, complaint):
    stray = picture(animals / "a.png")
    assert f"1 image is in no class, such as {stray}" in complaint(read_image_folder, animals)


def test_a_folder_without_classes(tmp_path, complaint):
    picture(tmp_path / "a.png")
    message = complaint(read_image_folder, tmp_path)
    assert f"{tmp_path} holds no folders; expected one folder a class" in message


def test_an_empty_class_is_named(animals, complaint):
    (animals / "fox").mkdir()
    (animals / "fox" / ".hidden").write_text("x")
    assert f"{animals / 'fox'} holds no images" in complaint(read_image_folder, animals)


@pytest.mark.parametrize("part", ["test", "val", "validation"])
def test_a_class_outside_the_training_rows_is_named(tmp_path, complaint, part):
    for name in ("train/a", "train/b", f"{part}/a", f"{part}/c"):
        picture(tmp_path / name / "0.png")
    message = complaint(read_image_folder, tmp_path)
    assert (
        f"{tmp_path / part / 'c'}: the class 'c' has no folder in {tmp_path / 'train'}" in message
    )


def test_parts_that_do_not_fit_together(tmp_path, complaint):
    picture(tmp_path / "test" / "a" / "0.png")
    message = complaint(read_image_folder, tmp_path)
    assert f"{tmp_path / 'test' / 'a'} is a folder in the folder of a class" in message
    picture(tmp_path / "train" / "a" / "0.png")
    picture(tmp_path / "train" / "b" / "0.png")
    other = picture(tmp_path / "other" / "a" / "0.png").parents[1]
    assert f"{other} lies beside train/" in complaint(read_image_folder, tmp_path)
    other.rename(tmp_path / "val")
    picture(tmp_path / "validation" / "a" / "0.png")
    assert f"{tmp_path} holds val/ and validation/" in complaint(read_image_folder, tmp_path)


def test_missing_folders_are_named(tmp_path, complaint):
    missing = tmp_path / "no"
    assert f"no such folder: {missing}" in complaint(read_image_folder, missing)
    file = picture(tmp_path / "a.png")
    assert f"{file} is not a folder" in complaint(read_image_folder, file)


def test_without_pillow_the_extra_is_named(animals, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(SlafError, match=r"pip install 'slaf-automl\[images\]'") as caught:
        read_image_folder(animals)
    assert len(str(caught.value).splitlines()) == 1
