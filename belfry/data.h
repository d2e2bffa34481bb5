#pragma once

// The library Belfry::data: images and their augmentation, data sets in files and data from the network.
//
// Left out, as what it lists is here: imgaug.h, of augmentation alone.

#include "belfry/dataflow/imgaug/augmentor.h"
#include "belfry/dataflow/imgaug/convert.h"
#include "belfry/dataflow/imgaug/crop.h"
#include "belfry/dataflow/imgaug/decode_augment.h"
#include "belfry/dataflow/imgaug/decode_image.h"
#include "belfry/dataflow/imgaug/deform.h"
#include "belfry/dataflow/imgaug/geometry.h"
#include "belfry/dataflow/imgaug/image_batch_data.h"
#include "belfry/dataflow/imgaug/image_flows.h"
#include "belfry/dataflow/imgaug/image_folder.h"
#include "belfry/dataflow/imgaug/image_spec.h"
#include "belfry/dataflow/imgaug/imgproc.h"
#include "belfry/dataflow/imgaug/jpeg.h"
#include "belfry/dataflow/imgaug/meta.h"
#include "belfry/dataflow/imgaug/misc.h"
#include "belfry/dataflow/imgaug/noise.h"
#include "belfry/dataflow/imgaug/paste.h"
#include "belfry/dataflow/imgaug/transform.h"
#include "belfry/dataflow/remote/remote_data_zmq.h"
#include "belfry/dataflow/storage/hdf5_data.h"
#include "belfry/dataflow/storage/lmdb_data.h"
#include "belfry/dataflow/storage/lmdb_serializer.h"
#include "belfry/dataflow/storage/mat_datasets.h"
#include "belfry/dataflow/storage/numpy_serializer.h"
#include "belfry/dataflow/storage/shard_data.h"
#include "belfry/dataflow/storage/shard_serializer.h"
#include "belfry/dataflow/storage/tfrecord_data.h"
#include "belfry/dataflow/storage/tfrecord_serializer.h"
