// A runner with a method for each kind of value.
#include <bento/bento.hpp>
#include <string>

struct Values {
  std::string greeting(std::string_view name) { return "hello, " + std::string(name); }
  bento::Bytes bytes(const bento::Bytes& bytes) {
    return {std::string(bytes.data.rbegin(), bytes.data.rend()), ""};
  }
  bento::Json json(const bento::Json& json) { return {"[" + std::string(json.text) + "]"}; }
  bento::Tensor<float> floats(bento::TensorView<float> x) { return bento::Tensor<float>::copy(x); }
  bento::Tensor<std::uint8_t> small(bento::TensorView<std::uint8_t> x) {
    return bento::Tensor<std::uint8_t>::copy(x);
  }
  bento::Tensor<double> doubles(bento::TensorView<double> x) {
    return bento::Tensor<double>::copy(x);
  }
};

BENTO_SERVICE(svc) {
  svc.name("values").version("2.5").doc("Values of each kind");
  auto values = svc.runner<Values>("values");
  values.method<&Values::greeting>("greeting");
  values.method<&Values::bytes>("bytes");
  values.method<&Values::json>("json");
  values.method<&Values::floats>("floats");
  values.method<&Values::small>("small");
  values.method<&Values::doubles>("doubles");
  svc.api("nothing", [](std::string_view) { return std::string(); });
}
