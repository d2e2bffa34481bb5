"""Pictures that tensorpack's own viz draws, for tests/viz/viz_test.cpp.

usage: viz_values.py OUT.npz
"""
import sys

import numpy as np

np.object = object  # tensorpack asks for it; numpy 1.24 and later have it no more
from tensorpack.utils import viz
from tensorpack.utils.palette import PALETTE_RGB

rng = np.random.RandomState(3)
out = {
    'gray': rng.randint(0, 256, (5, 21, 30)).astype(np.uint8),
    'color': rng.randint(0, 256, (5, 50, 41, 3)).astype(np.uint8),
    'float': (rng.rand(5, 9, 7, 1) * 255).astype(np.float32),
    'small': rng.randint(0, 256, (4, 6, 3)).astype(np.uint8),
    'canvas': rng.randint(0, 256, (80, 120, 3)).astype(np.uint8),
    'boxes': np.array([[10, 30, 100, 70], [20.9, 40.2, 60.5, 60], [0, 0, 120, 80], [90, 3, 118, 12]], np.float32),
}
gray, color, canvas, boxes = out['gray'], out['color'], out['canvas'], out['boxes']
labels = ['cat', 'a long label gjy', 'all', 'right']
out.update({
    'stack_gray': viz.stack_patches(gray, 2, 3),
    'stack_color': viz.stack_patches(color, 3, 2, border=4, bgcolor=(10, 20, 30)),
    'stack_gray_on_color': viz.stack_patches(gray, 1, 5, border=0, bgcolor=(10, 20, 30)),
    'stack_float': viz.stack_patches(out['float'], 2, 3, border=1, bgcolor=7),
    'stack_pad': viz.stack_patches([gray[0], color[0], out['small']], 2, 2, pad=True, bgcolor=99),
    'boxes_drawn': viz.draw_boxes(canvas, boxes, labels, color=(200, 30, 90)),
    'boxes_plain': viz.draw_boxes(canvas[:, :, 0].copy(), boxes),
    'text': viz.draw_text(canvas, (100, 3), 'Belfry 0.1', (0, 90, 200), font_scale=0.6),
    'palette': PALETTE_RGB,
})
for i, grid in enumerate(viz.gen_stack_patches(color, max_width=130, max_height=70)):
    out[f'grid{i}'] = grid.copy()
np.savez(sys.argv[1], **out)
