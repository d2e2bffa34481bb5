#include "belfry/base/error_context.h"

#include <exception>

#include "belfry/base/error.h"

namespace belfry {

void rethrow_with_context(const std::string& context) {
  try {
    throw;
  } catch (const UsageError& e) {
    std::throw_with_nested(UsageError(context + ": " + e.what()));
  } catch (const DataError& e) {
    std::throw_with_nested(DataError(context + ": " + e.what()));
  } catch (const InternalError& e) {
    std::throw_with_nested(InternalError(context + ": " + e.what()));
  } catch (const std::exception& e) {
    std::throw_with_nested(Error(context + ": " + e.what()));
  } catch (...) {
    std::throw_with_nested(Error(context + ": an exception of unknown type"));
  }
}

}  // namespace belfry
