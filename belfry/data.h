#pragma once

// The library Belfry::data: images and their augmentation, data sets in files and data from the network.
//
// Left out, as what it lists is here: imgaug/imgaug.h, of augmentation alone.

#include "belfry/data/codecs/decode_image.h"
#include "belfry/data/codecs/jpeg.h"
#include "belfry/data/datasets/mat_datasets.h"
#include "belfry/data/images/decode_augment.h"
#include "belfry/data/images/image_batch_data.h"
#include "belfry/data/images/image_flows.h"
#include "belfry/data/images/image_folder.h"
#include "belfry/data/images/image_spec.h"
#include "belfry/data/imgaug/augmentor.h"
#include "belfry/data/imgaug/convert.h"
#include "belfry/data/imgaug/crop.h"
#include "belfry/data/imgaug/deform.h"
#include "belfry/data/imgaug/geometry.h"
#include "belfry/data/imgaug/imgproc.h"
#include "belfry/data/imgaug/meta.h"
#include "belfry/data/imgaug/misc.h"
#include "belfry/data/imgaug/noise.h"
#include "belfry/data/imgaug/paste.h"
#include "belfry/data/imgaug/transform.h"
#include "belfry/data/remote/remote_data_zmq.h"
#include "belfry/data/storage/hdf5_data.h"
#include "belfry/data/storage/lmdb_data.h"
#include "belfry/data/storage/lmdb_serializer.h"
#include "belfry/data/storage/numpy_serializer.h"
#include "belfry/data/storage/shard_data.h"
#include "belfry/data/storage/shard_serializer.h"
#include "belfry/data/storage/tfrecord_data.h"
#include "belfry/data/storage/tfrecord_serializer.h"
