#pragma once

// All of image augmentation, of the library Belfry::data.

#include "belfry/dataflow/imgaug/augmentor.h"
#include "belfry/dataflow/imgaug/convert.h"
#include "belfry/dataflow/imgaug/crop.h"
#include "belfry/dataflow/imgaug/deform.h"
#include "belfry/dataflow/imgaug/geometry.h"
#include "belfry/dataflow/imgaug/image_spec.h"
#include "belfry/dataflow/imgaug/imgproc.h"
#include "belfry/dataflow/imgaug/meta.h"
#include "belfry/dataflow/imgaug/misc.h"
#include "belfry/dataflow/imgaug/noise.h"
#include "belfry/dataflow/imgaug/paste.h"
#include "belfry/dataflow/imgaug/transform.h"
