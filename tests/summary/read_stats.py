"""read_stats.py FOLDER: prints what tensorpack finds in FOLDER/stats.json: last epoch, global steps, values of "epoch"."""
import sys

from tensorpack.callbacks import JSONWriter

stats = JSONWriter.load_existing_json(sys.argv[1])
print(JSONWriter.load_existing_epoch_number(sys.argv[1]), [s['global_step'] for s in stats], [s['epoch'] for s in stats])
