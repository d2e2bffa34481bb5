// Phonemes of TIMIT's speech, by LSTM and CTC.
//
//   example_train_timit --train train.mdb --test test.mdb --stat stats.data
//   example_train_timit --data fake --epochs 2           random features and labels, to see it run
//
// The files are those of tensorpack's examples/CTC-TIMIT/create-lmdb.py, whose train-timit.py reports a label
// error rate of 0.28 after about 40 epochs. On purpose different: labels are padded and have their lengths
// beside, where the original has sparse tensors, and the last batch of an evaluation may be smaller.

#include "examples/CTC-TIMIT/train_timit.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

#include "belfry/data.h"

using namespace belfry;

namespace {

constexpr int64_t kBatch = 64;

struct Padded {
  at::Tensor values, lengths;
};

/// Sequences as long as the longest, with zeros at their ends.
Padded pad_sequences(const std::vector<at::Tensor>& sequences, at::ScalarType dtype) {
  std::vector<int> lengths;
  for (const at::Tensor& s : sequences) lengths.push_back(static_cast<int>(s.size(0)));
  std::vector<int64_t> sizes = sequences[0].sizes().vec();
  sizes[0] = *std::max_element(lengths.begin(), lengths.end());
  sizes.insert(sizes.begin(), static_cast<int64_t>(sequences.size()));
  const at::Tensor values = at::zeros(sizes, dtype);
  for (size_t i = 0; i < sequences.size(); ++i)
    values[static_cast<int64_t>(i)].narrow(0, 0, lengths[i]).copy_(sequences[i]);
  return {values, at::tensor(lengths, at::kInt)};
}

/// Batches of {features, labels, lengths of labels, lengths of features}.
class TimitBatch : public ProxyDataFlow {
 public:
  TimitBatch(AnyDataFlow ds, int64_t batch, bool remainder)
      : ProxyDataFlow(std::move(ds)), batch_(batch), remainder_(remainder) {}

  std::optional<int64_t> size() const override {
    const auto count = source_->size();
    return count ? std::optional((*count + (remainder_ ? batch_ - 1 : 0)) / batch_) : std::nullopt;
  }

  DataIterator start_pass(int64_t pass) override {
    auto next = [source = source_->start_pass(pass), batch = static_cast<size_t>(batch_),
                 remainder = remainder_]() mutable -> std::optional<Datapoint> {
      std::vector<at::Tensor> feats, labels;
      while (feats.size() < batch) {
        const auto dp = source.next();
        if (!dp) break;
        feats.push_back((*dp)[0]);
        labels.push_back((*dp)[1]);
      }
      if (feats.empty() || (feats.size() < batch && !remainder)) return std::nullopt;
      const Padded feat = pad_sequences(feats, at::kFloat), label = pad_sequences(labels, at::kInt);
      return Datapoint{feat.values, label.values, label.lengths, feat.lengths};
    };
    return DataIterator(std::move(next));
  }

 private:
  int64_t batch_;
  bool remainder_;
};

AnyDataFlow fake_data() {
  std::vector<Datapoint> list;
  for (int64_t i = 0; i < 2 * kBatch; ++i)
    list.push_back(
        {at::randn({20 + i % 7, train_timit::kFeatureDim}), at::randint(0, 61, {5 + i % 3}, at::kInt)});
  return DataFromList(list);
}

AnyDataFlow get_data(const std::string& path, bool train, const std::string& stat_file) {
  if (path == "fake") return TimitBatch(fake_data(), kBatch, !train);
  const at::Tensor file = read_file_bytes(stat_file);
  const Datapoint stats = loads(ByteSpan(static_cast<const std::byte*>(file.data_ptr()), file.nbytes()));
  if (stats.size() != 2)
    throw DataError(
        fmt::format("[train_timit] expected mean and std, got {} values in '{}'", stats.size(), stat_file));
  auto normalize = [mean = stats[0], std = stats[1]](const at::Tensor& x) { return (x - mean) / std; };
  const MapDataComponent ds(LMDBSerializer::load(path, {.shuffle = train}), normalize);
  return TimitBatch(ds, kBatch, !train);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string data, train, test, stat = "stats.data", load, log_dir = "train_log/train_timit";
  int64_t epochs = 70;
  CLI::App app("Trains LSTM + CTC on TIMIT.");
  app.add_option("--data", data, "'fake' instead of --train and --test")->check(CLI::IsMember({"fake"}));
  app.add_option("--train", train, "path to training lmdb");
  app.add_option("--test", test, "path to testing lmdb");
  app.add_option("--stat", stat, "path to the mean/std statistics file")->capture_default_str();
  app.add_option("--load", load, "model to load");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (data == "fake") train = test = data;
  if (train.empty() || test.empty())
    throw UsageError("[train_timit] expected --train and --test, or --data fake");

  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = train_timit::Model(),
       .data = QueueInput(get_data(train, true, stat)),
       .max_epoch = epochs,
       .callbacks =
           callbacks(ModelSaver(),
                     StatMonitorParamSetter("learning_rate", "error", [](double x) { return x * 0.2; },
                                            {.threshold = 0, .last_k = 5}),
                     HumanHyperParamSetter("learning_rate"),
                     PeriodicTrigger(InferenceRunner(get_data(test, false, stat), {ScalarStats("error")}),
                                     {.every_k_epochs = 2})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
