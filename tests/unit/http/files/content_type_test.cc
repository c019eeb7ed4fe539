#include "http/files/content_type.h"

#include <gtest/gtest.h>

namespace bentohost::http {
namespace {

TEST(ContentType, IsThatOfTheLastExtension) {
  EXPECT_EQ(content_type_of("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("a.b/app.min.js"), "text/javascript; charset=utf-8");
  EXPECT_EQ(content_type_of("LOGO.PNG"), "image/png");
  EXPECT_EQ(content_type_of("a/model.onnx"), "application/octet-stream");
  EXPECT_EQ(content_type_of("a.tar.gz"), "application/gzip");
}

TEST(ContentType, IsBytesForWhatIsNotKnown) {
  for (const char* path : {"", "README", "a.html/b", "a.", "a.htmlx", "html", "a.h"}) {
    EXPECT_EQ(content_type_of(path), "application/octet-stream") << path;
  }
}

}  // namespace
}  // namespace bentohost::http
