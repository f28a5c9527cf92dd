"""What Pillow makes of a small image: the numbers of pillow.json.

    python pillow.py > pillow.json     # made with Pillow 13.0.0
"""

import json

from PIL import Image, ImageEnhance, ImageOps

WIDTH, HEIGHT = 13, 9


def image():
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            image.putpixel((x, y), tuple((37 * y + 91 * x + 53 * c + 7 * x * y) % 256 for c in range(3)))
    return image


def numbers(image):
    return list(image.tobytes())


def resized(crop, size):
    top, left, height, width = crop
    part = image().crop((left, top, left + width, top + height))
    values = numbers(part.resize(size, Image.Resampling.BILINEAR))
    return {"crop": crop, "size": size, "values": values}


def fitted(side, shorter):
    # torchvision: Resize(shorter), CenterCrop(side)
    width, height = shorter * WIDTH // HEIGHT, shorter
    large = image().resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return numbers(large.crop((left, top, left + side, top + side)))


def changed(kind, factor):
    return {"factor": factor, "values": numbers(kind(image()).enhance(factor))}


def rotated(angle):
    turned = image().convert("RGBA").rotate(angle)
    return Image.composite(turned, Image.new("RGBA", turned.size, (128,) * 4), turned).convert("RGB")


def moved(matrix, resample=Image.Resampling.NEAREST):
    return image().transform(image().size, Image.Transform.AFFINE, matrix, resample, fillcolor=(128,) * 3)


def operations():
    # Magnitudes of AutoAugment's CIFAR policy, by index; signed where it draws a sign.
    for sign in (-1, 1):
        for i in (4, 5, 8):
            shear = sign * 0.3 * i / 9
            yield f"shear-y {sign} {i}", moved((1, 0, 0, shear, 1, 0), Image.Resampling.BICUBIC)
        for i in (3, 7, 9):
            share = sign * 150 / 331 * i / 9
            yield f"translate-x {sign} {i}", moved((1, 0, share * WIDTH, 0, 1, 0))
            yield f"translate-y {sign} {i}", moved((1, 0, 0, 0, 1, share * HEIGHT))
        for i in (1, 3, 6, 9):
            factor = 1 + sign * 0.9 * i / 9
            yield f"colour {sign} {i}", ImageEnhance.Color(image()).enhance(factor)
            yield f"contrast {sign} {i}", ImageEnhance.Contrast(image()).enhance(factor)
            yield f"brightness {sign} {i}", ImageEnhance.Brightness(image()).enhance(factor)
            yield f"sharpness {sign} {i}", ImageEnhance.Sharpness(image()).enhance(factor)
    for i in (2, 5, 9):
        yield f"rotate 1 {i}", rotated(30 * i / 9)
    for i in (0, 3, 7, 9):
        yield f"posterise 1 {i}", ImageOps.posterize(image(), round(8 - 4 * i / 9))
    for i in (2, 3, 8, 9):
        yield f"solarise 1 {i}", ImageOps.solarize(image(), 256 - 256 * i / 9)
    yield "auto-contrast 1 0", ImageOps.autocontrast(dull())
    yield "equalise 1 0", ImageOps.equalize(image())
    yield "equalise-large 1 0", ImageOps.equalize(large())
    yield "invert 1 0", ImageOps.invert(image())


def dull():
    # Between 60 and 123, so that there is contrast to gain.
    return image().point(lambda value: 60 + value // 4)


def large():
    # More pixels than levels, as equalising needs to do anything.
    return image().resize((40, 30), Image.Resampling.NEAREST)


print(
    json.dumps(
        {
            "resized": [
                resized([0, 0, HEIGHT, WIDTH], [5, 4]),
                resized([0, 0, HEIGHT, WIDTH], [20, 17]),
                resized([2, 1, 6, 8], [6, 6]),
                resized([3, 4, 5, 3], [7, 4]),
            ],
            "fitted_7_of_8": fitted(7, 8),
            "brightness": [changed(ImageEnhance.Brightness, f) for f in (0.6, 0.93, 1.37)],
            "contrast": [changed(ImageEnhance.Contrast, f) for f in (0.61, 1.0, 1.4)],
            "operations": {name: numbers(result) for name, result in operations()},
            "saturation": [changed(ImageEnhance.Color, f) for f in (0.6, 1.01, 1.39)],
        }
    )
)
