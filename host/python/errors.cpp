#include <exception>

#include "host/python/module.hpp"
#include "tern/error.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

/// An exception of a class of host/python/tern/_errors.py.
nb::object make_error(const char* name, const std::exception& error) {
  return nb::module_::import_("tern._errors").attr(name)(error.what());
}

void raise(const nb::object& error) {
  PyErr_SetObject(error.type().ptr(), error.ptr());
}

void raise_data_error(const DataError& error) {
  const nb::object raised = make_error("DataError", error);
  raised.attr("file") = nb::str(error.file().c_str(), error.file().size());
  raised.attr("line") = error.line();
  raise(raised);
}

}  // namespace

void translate_errors() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void* /*payload*/) {
    try {
      std::rethrow_exception(thrown);
    } catch (const ShapeError& error) {
      raise(make_error("ShapeError", error));
    } catch (const DataError& error) {
      raise_data_error(error);
    } catch (const ConfigError& error) {
      raise(make_error("ConfigError", error));
    } catch (const NumericalFault& error) {
      raise(make_error("NumericalFault", error));
    } catch (const MemoryError& error) {
      raise(make_error("MemoryError", error));
    } catch (const DeviceError& error) {
      raise(make_error("DeviceError", error));
    } catch (const Error& error) {
      raise(make_error("Error", error));
    }
  });
}

}  // namespace tern::python
