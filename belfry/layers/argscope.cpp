#include "belfry/layers/argscope.h"

namespace belfry {

ArgScope::Defaults& ArgScope::current() {
  thread_local Defaults defaults;
  return defaults;
}

}  // namespace belfry
