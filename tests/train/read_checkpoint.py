"""read_checkpoint.py FOLDER: prints which checkpoint of FOLDER TensorFlow and tensorpack take for the newest, its global_step,
and how many variables they find in it."""
import os
import sys

import tensorflow as tf

folder = sys.argv[1]
newest = tf.train.latest_checkpoint(folder)
reader = tf.train.load_checkpoint(newest)
print('tensorflow', os.path.basename(newest), int(reader.get_tensor('global_step')),
      len(reader.get_variable_to_shape_map()))

from tensorpack.tfutils.sessinit import SaverRestore
from tensorpack.tfutils.varmanip import load_checkpoint_vars

restore = SaverRestore(os.path.join(folder, 'checkpoint'))
values = load_checkpoint_vars(restore.path)
print('tensorpack', os.path.basename(restore.path), int(values['global_step']), len(values))
