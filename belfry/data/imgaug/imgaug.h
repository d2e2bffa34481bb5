#pragma once

// All of image augmentation, of the library Belfry::data.

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
