"""Writes hook_order.txt: the order in which tensorpack calls the hooks of callbacks, and what epoch_num, global_step and
local_step are at each call. Run it with the project's Python environment: python3 tests/loop/hook_order.py"""
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import tensorpack
import tensorflow.compat.v1 as tf
from tensorpack.callbacks import Callback, MonitorBase, PeriodicTrigger
from tensorpack.tfutils.sesscreate import NewSessionCreator
from tensorpack.tfutils.sessinit import JustCurrentSession
from tensorpack.train.base import StopTraining, Trainer

tf.disable_eager_execution()
HOOKS = ['before_train', 'before_epoch', 'trigger_step', 'after_epoch', 'trigger_epoch', 'trigger', 'after_train']


def recording(base):
    class Recorder(base):
        _chief_only = False

        def __init__(self, label, lines, throw_at=None, fetches=True):
            self.label, self.lines, self.throw_at, self.wants_fetches = label, lines, throw_at, fetches

        def log(self, hook):
            self.lines.append(f'{hook} {self.label} {self.trainer.epoch_num} {self.trainer.global_step} '
                              f'{self.trainer.local_step}')
            if self.throw_at and self.throw_at[:2] == (hook, self.trainer.global_step):
                raise self.throw_at[2]

        def _setup_graph(self):
            self.log('setup_graph')
            self.fetches = [tf.constant(0)] if self.wants_fetches else None

        def _before_run(self, _):
            self.log('before_run')
            return self.fetches

        def _after_run(self, _, values):
            self.log('after_run')

        def _trigger_epoch(self):
            self.log('trigger_epoch')
            self.trigger()

    for hook in HOOKS:
        if hook != 'trigger_epoch':
            setattr(Recorder, '_' + hook, lambda self, hook=hook: self.log(hook))
    return Recorder


class TestTrainer(Trainer):
    def run_step(self):
        self.hooked_sess.run(self.train_op)


def run(name, throw_at=None, starting_epoch=1):
    lines = []
    with tf.Graph().as_default():
        trainer = TestTrainer()
        trainer.train_op = tf.no_op()
        trainer.register_callback(recording(Callback)('input', lines))
        callbacks = [
            recording(Callback)('first', lines, throw_at),
            recording(Callback)('idle', lines, fetches=False),
            PeriodicTrigger(recording(Callback)('periodic', lines), every_k_steps=2, every_k_epochs=2,
                            before_train=True)]
        try:
            trainer.train(callbacks, [recording(MonitorBase)('monitor', lines)], NewSessionCreator(),
                          JustCurrentSession(), steps_per_epoch=3, starting_epoch=starting_epoch, max_epoch=2)
        except ZeroDivisionError:
            lines.append('thrown')
    return [f'# {name}'] + lines


scenarios = [
    run('whole'),
    run('resumed', starting_epoch=2),
    run('stopped', ('trigger_step', 2, StopTraining('enough'))),
    run('failed', ('after_run', 1, ZeroDivisionError('oops'))),
    run('failed before training', ('before_train', 0, ZeroDivisionError('oops'))),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'hook_order.txt'), 'w') as f:
    f.write('\n'.join(line for scenario in scenarios for line in scenario) + '\n')
