"""What Pillow makes of a small image: the numbers of pillow.json.

    python pillow.py > pillow.json     # made with Pillow 11.3.0
"""

import json

from PIL import Image, ImageEnhance

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
            "saturation": [changed(ImageEnhance.Color, f) for f in (0.6, 1.01, 1.39)],
        }
    )
)
