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


# Cubuk et al., CVPR 2019, table 7: operation, probability, magnitude, twice.
POLICY = """
(inv .1/7, con .2/6) (rot .7/2, tx .3/9) (sha .8/1, sha .9/3) (shy .5/8, ty .7/9) (aut .5/8, eq .9/2)
(shy .2/7, pos .3/7) (col .4/3, bri .6/7) (sha .3/9, bri .7/9) (eq .6/5, eq .5/1) (con .6/7, sha .6/5)
(col .7/7, tx .5/8) (eq .3/7, aut .4/8) (ty .4/3, sha .2/6) (bri .9/6, col .2/8) (sol .5/2, inv .0/3)
(eq .2/0, aut .6/0) (eq .2/8, eq .6/4) (col .9/9, eq .6/6) (aut .8/4, sol .2/8) (bri .1/3, col .7/0)
(sol .4/5, aut .9/3) (ty .9/9, ty .7/9) (aut .9/2, sol .8/3) (eq .8/8, inv .1/3) (ty .7/9, aut .9/1)
"""


def applied(image, operation, i, sign):
    width, height = image.size
    fill, nearest, bicubic = (128,) * 3, Image.Resampling.NEAREST, Image.Resampling.BICUBIC
    share = sign * 150 / 331 * i / 9
    affine = {
        "shy": ((1, 0, 0, sign * 0.3 * i / 9, 1, 0), bicubic),
        "tx": ((1, 0, share * width, 0, 1, 0), nearest),
        "ty": ((1, 0, 0, 0, 1, share * height), nearest),
    }
    if operation in affine:
        matrix, resample = affine[operation]
        return image.transform(image.size, Image.Transform.AFFINE, matrix, resample, fillcolor=fill)
    enhance = {"con": ImageEnhance.Contrast, "sha": ImageEnhance.Sharpness, "col": ImageEnhance.Color,
               "bri": ImageEnhance.Brightness}
    if operation in enhance:
        return enhance[operation](image).enhance(1 + sign * 0.9 * i / 9)
    if operation == "rot":
        turned = image.convert("RGBA").rotate(30 * i / 9)
        return Image.composite(turned, Image.new("RGBA", turned.size, (128,) * 4), turned).convert("RGB")
    return {
        "inv": ImageOps.invert,
        "aut": ImageOps.autocontrast,
        "eq": ImageOps.equalize,
        "pos": lambda image: ImageOps.posterize(image, round(8 - 4 * i / 9)),
        "sol": lambda image: ImageOps.solarize(image, 256 - 256 * i / 9),
    }[operation](image)


def policy():
    for pair in POLICY.replace("\n", " ").strip(" )").split(")"):
        rules = []
        for rule in pair.strip(" (").split(","):
            operation, numbers_of = rule.split()
            probability, magnitude = numbers_of.split("/")
            rules.append((operation, float(probability), int(magnitude)))
        after = {}
        for name, sign in (("plus", 1), ("minus", -1)):
            result = large()
            for operation, _, magnitude in rules:
                result = applied(result, operation, magnitude, sign)
            after[name] = numbers(result.crop((8, 6, 20, 15)))
        yield {"probabilities": [rule[1] for rule in rules], **after}


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
            "policy": list(policy()),
            "operations": {name: numbers(result) for name, result in operations()},
            "saturation": [changed(ImageEnhance.Color, f) for f in (0.6, 1.01, 1.39)],
        }
    )
)
