"""Writes colormap_baseline.h: matplotlib's colours, as tensorpack's intensity_to_rgb takes them. Needs matplotlib (3.8).

usage: colormap_baseline.py > colormap_baseline.h
"""
import matplotlib
import numpy as np

INTENSITIES = [-0.2, 0.0, 0.001, 0.1, 0.25, 0.3333, 0.5, 0.5039, 0.62, 0.75, 0.9, 0.9961, 0.9999, 1.0, 1.7, float('nan')]

print('#pragma once\n\n#include <map>\n#include <string>\n#include <vector>\n')
print('// Made by colormap_baseline.py.\nnamespace belfry::test {\n')
print('inline const std::vector<double> kIntensities = {'
      + ', '.join('NAN' if np.isnan(x) else str(x) for x in INTENSITIES) + '};\n')
print('/// Red, green and blue of each intensity.')
print('inline const std::map<std::string, std::vector<float>> kColors = {')
for name in ['cubehelix', 'jet', 'hot', 'gray']:
    colors = matplotlib.colormaps[name](np.array([INTENSITIES]))[..., :3].astype('float32') * 255.0
    numbers = [f'{value:.6g}' for value in colors.reshape(-1)]
    numbers = [n if '.' in n or 'e' in n else n + '.' for n in numbers]
    print(f'    {{"{name}",\n     {{' + ',\n      '.join(', '.join(n + 'F' for n in numbers[i:i + 9])
                                                     for i in range(0, len(numbers), 9)) + '}},')
print('};\n\n}  // namespace belfry::test')
