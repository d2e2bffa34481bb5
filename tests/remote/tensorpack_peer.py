"""The other side of tests/remote: real tensorpack, in another process, until it is killed.

    echo RECEIVE_ADDRESS SEND_ADDRESS   receives datapoints, adds 1 to each array and sends them on (MessagePack)
    send SEND_ADDRESS                   sends five datapoints again and again (tensorpack's default serialisation: pickle)
"""
import os
import sys

if sys.argv[1] == "echo":
    os.environ["TENSORPACK_SERIALIZE"] = "msgpack"

import numpy as np
from tensorpack.dataflow import DataFromList, MapData, RemoteDataZMQ, send_dataflow_zmq


def add_one(datapoint):
    return [x + np.ones((), x.dtype) for x in datapoint]


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        send_dataflow_zmq(MapData(RemoteDataZMQ(sys.argv[2], bind=False), add_one), sys.argv[3])
    else:
        datapoints = [[np.full((2, 3), i, dtype="float32"), i, "text"] for i in range(5)]
        send_dataflow_zmq(DataFromList(datapoints, shuffle=False), sys.argv[2])
