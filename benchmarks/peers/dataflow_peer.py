"""Images per second of other data pipelines, from JPEGs in memory to batches of 64: see benchmarks/dataflow.

Usage: dataflow_peer.py ENGINE TASK THREADS FOLDER, with the protocol of benchmarks/dataflow_images.cpp.
ENGINE: tensorpack_threads, tensorpack_processes, tf.data, torchvision, torchvision_pil
"""
import io
import os
import pathlib
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np

BATCH = 64
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045], np.float32) * 255
EIGENVECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], np.float32)


def lighting():
    return EIGENVECTORS @ (np.random.normal(0, 0.1, 3).astype(np.float32) * EIGENVALUES)


def tensorpack(task, threads, files, runner):
    """Its fbresnet augmentors; pixels go between processes as uint8 and become float32 in whole batches."""
    sys.modules["tensorflow"] = None  # its dataflows do without, and start faster
    import cv2
    from tensorpack.dataflow import (BatchData, DataFromList, MapData, MapDataComponent, MultiProcessRunnerZMQ,
                                     MultiThreadMapData, RepeatedData, imgaug)
    cv2.setNumThreads(0)
    if task == "train":
        augmentors = [
            imgaug.GoogleNetRandomCropAndResize(),
            imgaug.ToFloat32(),
            imgaug.RandomOrderAug([
                imgaug.BrightnessScale((0.6, 1.4), clip=False),
                imgaug.Contrast((0.6, 1.4), rgb=False, clip=False),
                imgaug.Saturation(0.4, rgb=False),
                imgaug.Lighting(0.1, EIGENVALUES[::-1], EIGENVECTORS[::-1, ::-1]),
            ]),
            imgaug.ToUint8(),
            imgaug.Flip(horiz=True),
        ]
    else:
        augmentors = [imgaug.ResizeShortestEdge(256), imgaug.CenterCrop((224, 224))]
    augmentors = imgaug.AugmentorList(augmentors)
    mean, scale = MEAN[::-1].copy(), 1 / STD[::-1]

    def augment(datapoint):
        image = cv2.imdecode(np.frombuffer(datapoint[0], np.uint8), cv2.IMREAD_COLOR)
        return [augmentors.augment(image), datapoint[1]]

    flow = RepeatedData(DataFromList([[f, 0] for f in files], shuffle=False), -1)
    if runner == "processes" and threads > 1:
        flow = MultiProcessRunnerZMQ(MapData(flow, augment), threads)
    elif threads > 1:
        flow = MultiThreadMapData(flow, threads, augment, buffer_size=200)
    else:
        flow = MapData(flow, augment)
    flow = MapDataComponent(BatchData(flow, BATCH), lambda images: (images.astype(np.float32) - mean) * scale)
    flow.reset_state()
    return iter(flow)


def tf_data(task, threads, files):
    """As the official ResNet's input pipeline: only the crop is decoded, at full size; then all in float32."""
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(1)

    def jitter(image):
        def brightness(x):
            return x * tf.random.uniform([], 0.6, 1.4)

        def contrast(x):
            mean = tf.reduce_sum(tf.reduce_mean(x, [0, 1]) * [0.299, 0.587, 0.114])
            return mean + (x - mean) * tf.random.uniform([], 0.6, 1.4)

        def saturation(x):
            gray = tf.tensordot(x, tf.constant([0.299, 0.587, 0.114]), 1)[..., None]
            return gray + (x - gray) * tf.random.uniform([], 0.6, 1.4)

        return saturation(contrast(brightness(image)))

    def train(content):
        shape = tf.image.extract_jpeg_shape(content)
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            shape, tf.zeros([1, 0, 4]), min_object_covered=0.1, aspect_ratio_range=[3 / 4, 4 / 3],
            area_range=[0.08, 1.0], max_attempts=10, use_image_if_no_bounding_boxes=True)
        window = tf.stack([begin[0], begin[1], size[0], size[1]])
        image = tf.image.decode_and_crop_jpeg(content, window, channels=3)
        image = tf.image.resize(image, [224, 224])
        image = jitter(image)
        image += tf.linalg.matvec(EIGENVECTORS, tf.random.normal([3], 0, 0.1) * EIGENVALUES)
        image = tf.image.random_flip_left_right(image)
        return (image - MEAN) / STD

    def evaluate(content):
        shape = tf.image.extract_jpeg_shape(content)
        side = tf.cast(tf.cast(tf.minimum(shape[0], shape[1]), tf.float32) * (224 / 256), tf.int32)
        window = tf.stack([(shape[0] - side) // 2, (shape[1] - side) // 2, side, side])
        image = tf.image.decode_and_crop_jpeg(content, window, channels=3)
        return (tf.image.resize(image, [224, 224]) - MEAN) / STD

    dataset = tf.data.Dataset.from_tensor_slices((tf.constant(files), tf.zeros(len(files), tf.int64))).repeat()
    step = train if task == "train" else evaluate
    dataset = dataset.map(lambda content, label: (step(content), label), num_parallel_calls=threads)
    dataset = dataset.batch(BATCH, drop_remainder=True).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    return iter(dataset.with_options(options))


def torchvision(task, threads, files, decoder):
    """Batches are NCHW, as is usual with PyTorch; resizing antialiases."""
    import PIL.Image
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg
    from torchvision.transforms import v2
    torch.set_num_threads(1)
    to_float = [v2.ToDtype(torch.float32, scale=False), v2.Normalize(MEAN.tolist(), STD.tolist())]
    if decoder == "pil":
        to_float.insert(0, v2.PILToTensor())
    if task == "train":
        transforms = v2.Compose([
            v2.RandomResizedCrop(224, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.4, 0.4, 0.4),
            *to_float[:-1],
            lambda image: image + torch.from_numpy(lighting()).view(3, 1, 1),
            to_float[-1],
        ])
    else:
        transforms = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224), *to_float])

    class Files(torch.utils.data.Dataset):
        def __len__(self):
            return 1 << 40

        def __getitem__(self, index):
            content = files[index % len(files)]
            if decoder == "pil":
                image = PIL.Image.open(io.BytesIO(content)).convert("RGB")
            else:
                image = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.RGB)
            return transforms(image), 0

    class InOrder(torch.utils.data.Sampler):
        def __iter__(self):
            return iter(range(1 << 40))

    workers = threads if threads > 1 else 0
    return iter(torch.utils.data.DataLoader(Files(), BATCH, sampler=InOrder(), num_workers=workers, drop_last=True))


ENGINES = {
    "tensorpack_threads": lambda *a: tensorpack(*a, "threads"),
    "tensorpack_processes": lambda *a: tensorpack(*a, "processes"),
    "tf.data": tf_data,
    "torchvision": lambda *a: torchvision(*a, "torchvision"),
    "torchvision_pil": lambda *a: torchvision(*a, "pil"),
}


def rate(batches, seconds):
    warm_up = time.perf_counter() + 0.5  # what was made while the others ran is taken first
    while time.perf_counter() < warm_up:
        next(batches)
    start, images = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        images += len(next(batches)[0])
    return images / (time.perf_counter() - start)


def main():
    engine, task, threads, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
    files = [path.read_bytes() for path in sorted(folder.glob("*.JPEG"))]
    batches = ENGINES[engine](task, threads, files)
    images = np.asarray(next(batches)[0])
    assert sorted(images.shape) == [3, BATCH, 224, 224] and images.dtype == np.float32, (images.shape, images.dtype)
    print("ready", flush=True)
    for line in sys.stdin:
        print(f"{rate(batches, float(line)):.2f}", flush=True)
    os._exit(0)  # workers and all


main()
