#include "belfry/base/error_context.h"

#include <exception>
#include <new>
#include <system_error>

#include "belfry/base/error.h"

namespace belfry {

void rethrow_with_context(const std::string& context) {
  try {
    throw;
  } catch (const UsageError& e) {
    std::throw_with_nested(UsageError(context + ": " + e.what()));
  } catch (const DataError& e) {
    std::throw_with_nested(DataError(context + ": " + e.what()));
  } catch (const OutOfMemoryError& e) {
    std::throw_with_nested(OutOfMemoryError(context + ": " + e.what()));
  } catch (const ResourceError& e) {
    std::throw_with_nested(ResourceError(context + ": " + e.what()));
  } catch (const InternalError& e) {
    std::throw_with_nested(InternalError(context + ": " + e.what()));
  } catch (const std::bad_alloc&) {
    std::throw_with_nested(OutOfMemoryError(context + ": expected memory, got none from the system"));
  } catch (const std::system_error& e) {
    std::throw_with_nested(ResourceError(context + ": " + e.what()));
  } catch (const std::exception& e) {
    std::throw_with_nested(Error(context + ": " + e.what()));
  } catch (...) {
    std::throw_with_nested(Error(context + ": an exception of unknown type"));
  }
}

}  // namespace belfry
