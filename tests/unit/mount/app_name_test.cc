#include "mount/app_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::mount {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view name, AppKind kind = AppKind::kWsgi) {
  return check_app_name(kind, name).message();
}

TEST(AppName, TakesWhatPythonTakes) {
  for (const char* name :
       {"a:b", "_a1.b_2:C", "a:b.c.d",
        "b\xc3\xbc"
        "cher:app",
        "a:f()", "a:f( )", "a:b.f()", "a:f('prod')", "a:f(\"it's\", 'x\\'y')",
        "a:f(1, -2.5, 1e3, 0, 0.5)", "a:f(True, False, None)", "a:f(config='prod', debug=True)",
        "a:f(1,)", "a:f(n = 1)", "a:f(')')", "a:f('a', b=\"c=d\") "}) {
    EXPECT_EQ(refusal(name), "") << name;
  }
}

TEST(AppName, SaysWhatIsWrong) {
  for (const auto& [name, why] : {
           std::pair{"", "its app is \"\"; expected MODULE:APP, such as web:app"},
           std::pair{"app", "expected MODULE:APP"},
           std::pair{":app", "expected MODULE:APP"},
           std::pair{"web:", "expected MODULE:APP"},
           std::pair{"web/app:app", "its module \"web/app\" has \"web/app\" in it"},
           std::pair{"my-app:app", "has \"my-app\" in it, which is no name of Python"},
           std::pair{"web..x:app", "its module \"web..x\" has an empty name"},
           std::pair{".web:app", "has an empty name"},
           std::pair{"web.:app", "has an empty name"},
           std::pair{"1web:app", "has \"1web\" in it"},
           std::pair{"web:app.", "its app \"app.\" has an empty name"},
           std::pair{"web:a b", "its app \"a b\" has \"a b\" in it"},
           std::pair{"web:app:x", "its app \"app:x\" has \"app:x\" in it"},
           std::pair{"web:()", "its app \"\" has an empty name"},
           std::pair{"web:f(", "expected a text, a number, True, False or None at the end"},
           std::pair{"web:f(1", "expected a comma or a closing parenthesis at the end"},
           std::pair{"web:f(1 2)", "expected a comma or a closing parenthesis at \"2)\""},
           std::pair{"web:f(,)", "expected a text, a number, True, False or None at \",)\""},
           std::pair{"web:f(x)", "expected a text, a number, True, False or None at \"x)\""},
           std::pair{"web:f(open('x'))", "at \"open('x'))\""},
           std::pair{"web:f('x)", "at \"'x)\""},
           std::pair{"web:f(n=)", "at \")\""},
           std::pair{"web:f(007)", "at \"007)\""},
           std::pair{"web:f(1x)", "at \"1x)\""},
           std::pair{"web:f(-)", "at \"-)\""},
           std::pair{"web:f(-inf)", "at \"-inf)\""},
           std::pair{"web:f()()", "expected nothing behind the closing parenthesis at \"()\""},
           std::pair{"web:f().app", "expected nothing behind the closing parenthesis at \".app\""},
       }) {
    EXPECT_THAT(refusal(name), HasSubstr(why)) << name;
  }
}

TEST(AppName, KnowsWhatEachServerCannotDo) {
  EXPECT_EQ(refusal("a:f()", AppKind::kAsgi), "");
  EXPECT_THAT(refusal("a:f(1)", AppKind::kAsgi), HasSubstr("called without arguments"));
  EXPECT_EQ(refusal("a:f(1)", AppKind::kWsgiGunicorn), "");
  EXPECT_THAT(refusal("a:b.c", AppKind::kWsgiGunicorn), HasSubstr("gunicorn does not take"));
  EXPECT_EQ(refusal("a:f('b.c')", AppKind::kWsgiGunicorn), "");
  EXPECT_EQ(refusal("a:b.c", AppKind::kAsgi), "");
}

}  // namespace
}  // namespace bentohost::mount
