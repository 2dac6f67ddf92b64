#include "handlers/shared/xml_writer.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

struct Fixture {
    std::string text;
    XmlWriter xml{text};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(xml_writer, Fixture)

BOOST_AUTO_TEST_CASE(each_item_of_an_array_bears_the_name_of_the_array) {
    xml.key("List");
    xml.begin_object();
    xml.member("Path", std::vector<std::string>{"/a", "/b"});
    xml.objects("Row", std::vector{1, 2}, [&](int row) {
        xml.member("Id", row);
        xml.objects("Detail", std::vector{'x', 'y'}, [&](char) { xml.object("Empty", [] {}); });
    });
    xml.member("None", std::vector<std::string>{});
    xml.member("End", "");
    xml.end_object();
    BOOST_TEST(text ==
               "<List><Path>/a</Path><Path>/b</Path>"
               "<Row><Id>1</Id><Detail><Empty></Empty></Detail><Detail><Empty></Empty></Detail></Row>"
               "<Row><Id>2</Id><Detail><Empty></Empty></Detail><Detail><Empty></Empty></Detail></Row>"
               "<End></End></List>");
}

BOOST_AUTO_TEST_CASE(what_xml_gives_a_meaning_to_is_escaped) {
    xml.member("Text", "a<b>&\"'\r\n\t]]>\xc3\xbc");
    BOOST_TEST(text == "<Text>a&lt;b&gt;&amp;\"'&#13;\n\t]]&gt;\xc3\xbc</Text>");
}

BOOST_AUTO_TEST_CASE(what_is_no_character_of_xml_is_replaced) {
    for (const std::string_view bytes : {"\x01", "\x1f", "\xff", "\xc3", "\xef\xbf\xbe", "\xef\xbf\xbf"}) {
        text.clear();
        xml.member("Text", bytes);
        BOOST_TEST(text == "<Text>\xef\xbf\xbd</Text>");
    }
    text.clear();
    xml.member("Text", std::string_view("a\0b", 3));
    BOOST_TEST(text ==
               "<Text>a\xef\xbf\xbd"
               "b</Text>");
}

BOOST_AUTO_TEST_SUITE_END()
