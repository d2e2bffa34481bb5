#pragma once

#include "belfry/distributed/collectives.h"
#include "belfry/distributed/process_group.h"
