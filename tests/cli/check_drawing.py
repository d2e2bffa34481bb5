"""Checks drawings of `belfry describe --svg`.

usage: check_drawing.py FILE.svg...

Each must be XML whose boxes lie in the drawing and do not overlap, and whose arrows start and end at boxes and pass none
on the way. Prints a line for each trouble.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def check(path):
    root = ElementTree.parse(path).getroot()
    width, height = float(root.get("width")), float(root.get("height"))
    boxes = []
    for group in root.findall(f"{SVG}g"):
        x, y, w, h = (float(group.find(f"{SVG}rect").get(k)) for k in ("x", "y", "width", "height"))
        boxes.append((x, y, x + w, y + h, "".join(group.itertext())))
    if len(boxes) < 3:
        print(f"{path}: {len(boxes)} boxes")
    for i, (left, top, right, bottom, name) in enumerate(boxes):
        if left < 0 or top < 0 or right > width or bottom > height:
            print(f"{path}: {name} is out of the drawing")
        for other in boxes[:i]:
            if left < other[2] and right > other[0] and top < other[3] and bottom > other[1]:
                print(f"{path}: {name} overlaps {other[4]}")
    for arrow in root.findall(f"{SVG}path"):
        numbers = [float(n) for n in re.findall(r"-?[0-9.]+", arrow.get("d"))]
        points = list(zip(numbers[::2], numbers[1::2]))
        for x, y, side in [(*points[0], 3), (*points[-1], 1)]:
            if not any(box[0] <= x <= box[2] and abs(box[side] - y) < 0.2 for box in boxes):
                print(f"{path}: an arrow ends at {x}, {y}, where no box is")
        for x, y in points[1:-1]:
            if any(box[0] < x < box[2] and box[1] + 0.2 < y < box[3] - 0.2 for box in boxes):
                print(f"{path}: an arrow passes through a box at {x}, {y}")


for path in sys.argv[1:]:
    check(path)
