#include "belfry/train/train_with_defaults.h"

namespace belfry {

TrainingEnd train_with_defaults(Trainer& trainer, const TrainWithDefaultsOptions& options) {
  TrainOptions all{.callbacks = options.callbacks,
                   .monitors = options.monitors ? *options.monitors : default_monitors(),
                   .session_init = options.session_init,
                   .loop = options.loop,
                   .log_dir = options.log_dir};
  for (const auto& callback : options.extra_callbacks ? *options.extra_callbacks : default_callbacks())
    all.callbacks.push_back(callback);
  return trainer.train(all);
}

}  // namespace belfry
