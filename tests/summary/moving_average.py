"""moving_average.py: prints lines "value average" of TensorFlow's zero-debiased moving average, decay 0.95, as tensorpack's
add_moving_summary builds it. Writes moving_average.txt: .env/python/bin/python3 tests/summary/moving_average.py > ..."""
import numpy as np
import tensorflow as tf
from tensorflow.python.training import moving_averages

tf.compat.v1.disable_eager_execution()
value = tf.compat.v1.placeholder(tf.float64, [])
average = tf.compat.v1.get_variable('EMA', [], tf.float64, tf.compat.v1.zeros_initializer(), trainable=False)
update = moving_averages.assign_moving_average(average, value, 0.95, zero_debias=True)
with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    for x in np.random.RandomState(0).randn(40) * 3 + 1:
        print(repr(float(x)), repr(float(session.run(update, {value: x}))))
