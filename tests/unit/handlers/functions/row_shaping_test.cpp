#include "handlers/functions/row_shaping.h"

#include <boost/test/unit_test.hpp>

#include "jobs/shared/refusal.h"

using namespace clamscanner;

namespace {

const std::vector<std::string> columns = {"file", "size"};

struct Fixture {
    Rows rows{columns, {{"/b.php", "10"}, {"/A.txt", "0"}, {"/c.PHP", "9"}, {"/d", "unlimited"}}};
    std::string metadata;

    static RowShaping shaping(const std::string& query) {
        Arguments arguments;
        read_form(query, arguments);
        return {arguments, columns};
    }
    // The first column of what is left, one letter a row.
    std::string shaped(const std::string& query) {
        auto copy = rows;
        metadata = shaping(query).apply(copy);
        std::string letters;
        for (const auto& row : copy.rows) letters += row[0][1];
        return letters;
    }
    static std::string refusal(const std::string& query) {
        try {
            (void)shaping(query);
        } catch (const Refusal& refused) {
            BOOST_TEST(refused.status() == 200);
            return refused.what();
        }
        return "";
    }
    static bool names(const std::string& refusal, std::initializer_list<const char*> words) {
        return std::ranges::all_of(words, [&](const char* word) { return refusal.find(word) != std::string::npos; });
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(row_shaping, Fixture)

BOOST_AUTO_TEST_CASE(without_arguments_nothing_changes) {
    BOOST_TEST(shaped("") == "bAcd");
    BOOST_TEST(metadata == "{}");
    BOOST_TEST(!shaping("scan_type=home&api.analytics=1").asks_for_something());
}

BOOST_AUTO_TEST_CASE(each_filter_type_does_what_uapi_says) {
    const std::pair<const char*, const char*> expected[] = {
        {"begins&api.filter_term=/a", "A"},
        {"contains&api.filter_term=PHP", "bc"},
        {"ends&api.filter_term=.php", "bc"},
        {"eq&api.filter_term=/c.PHP", "c"},
        {"eq&api.filter_term=/c.php", ""},
        {"ne&api.filter_term=/d", "bAc"},
        {"matches&api.filter_term=%5C.(php|txt)$", "bA"},
        {"matches&api.filter_term=(?i)php", "bc"},
        {"defined", "bAcd"},
        {"undefined", ""},
    };
    for (const auto& [query, letters] : expected)
        BOOST_TEST(shaped(std::string("api.filter_column=file&api.filter_type=") + query) == letters, query);
    const std::pair<const char*, const char*> numeric[] = {
        {"gt", "b"}, {"gt_handle_unlimited", "bAd"}, {"lt", "Ad"}, {"lt_handle_unlimited", ""}};
    for (const auto& [type, letters] : numeric)
        BOOST_TEST(shaped(std::string("api.filter_column=size&api.filter_term=9&api.filter_type=") + type) == letters,
                   type);
}

BOOST_AUTO_TEST_CASE(filters_default_to_contains_take_a_star_for_any_column_and_must_all_match) {
    BOOST_TEST(shaped("api.filter_column=file&api.filter_term=php") == "bc");
    BOOST_TEST(shaped("api.filter_column=*&api.filter_term=0&api.filter_type=eq") == "A");
    BOOST_TEST(shaped("api.filter_column_0=file&api.filter_term_0=php&api.filter_column_1=size&api.filter_term_1=1") ==
               "b");
    BOOST_TEST(metadata == R"({"filter":{"records_before_filter":4}})");
    BOOST_TEST(shaped("api.filter_column=file&api.filter_term=") == "bAcd");
    BOOST_TEST(shaped("api.filter=0&api.filter_column=file&api.filter_term=php") == "bAcd");
}

BOOST_AUTO_TEST_CASE(each_sort_method_does_what_uapi_says) {
    BOOST_TEST(shaped("api.sort=1&api.sort_column=file") == "Abcd");
    BOOST_TEST(metadata == R"({"sort":[{"column":"file","method":"lexicographic","reverse":0}]})");
    BOOST_TEST(shaped("api.sort_column_0=file&api.sort_reverse_0=1") == "dcbA");
    BOOST_TEST(shaped("api.sort_column=size") == "Abcd");
    BOOST_TEST(shaped("api.sort_column=size&api.sort_method=numeric") == "Adcb");
    BOOST_TEST(shaped("api.sort_column=size&api.sort_method=numeric_zero_as_max") == "cbAd");
    BOOST_TEST(shaped("api.sort_column=size&api.sort_method=numeric_zero_as_max&api.sort_reverse=1") == "Adbc");
    BOOST_TEST(shaped("api.sort=0&api.sort_column=file") == "bAcd");
    rows.rows = {{"/x", "10.0.0.2"}, {"/y", "9.1.1.1"}, {"/z", "10.0.0.10"}};
    BOOST_TEST(shaped("api.sort_column=size&api.sort_method=ipv4") == "yxz");
    BOOST_TEST(shaped("api.sort_column_3=size&api.sort_method_3=ipv_4") == "yxz");
    BOOST_TEST(metadata == R"({"sort":[{"column":"size","method":"ipv4","reverse":0}]})");
}

BOOST_AUTO_TEST_CASE(a_later_sort_counts_where_an_earlier_one_finds_no_difference) {
    rows.rows = {{"/a", "2"}, {"/b", "1"}, {"/c", "2"}, {"/d", "1"}};
    BOOST_TEST(shaped("api.sort_column_0=size&api.sort_column_1=file&api.sort_reverse_1=1") == "dbca");
    BOOST_TEST(shaped("api.sort_column_10=file&api.sort_reverse_10=1&api.sort_column_9=size") == "dbca");
    BOOST_TEST(shaped("api.sort_column_1=file&api.sort_column=size") == "bdac");
}

BOOST_AUTO_TEST_CASE(a_page_is_cut_after_filters_and_sorts) {
    BOOST_TEST(shaped("api.paginate=1&api.paginate_start=2&api.paginate_size=2") == "Ac");
    BOOST_TEST(metadata == R"({"paginate":{"current_page":1,"results_per_page":2,"start_result":2,"total_pages":2,)"
                           R"("total_results":4}})");
    BOOST_TEST(shaped("api.paginate_start=3&api.paginate_size=2&api.sort_column=file&api.filter_column=file"
                      "&api.filter_term=.") == "c");
    BOOST_TEST(metadata == R"({"filter":{"records_before_filter":4},"paginate":{"current_page":2,"results_per_page":2,)"
                           R"("start_result":3,"total_pages":2,"total_results":3},)"
                           R"("sort":[{"column":"file","method":"lexicographic","reverse":0}]})");
    BOOST_TEST(shaped("api.paginate_start=0&api.paginate_size=1") == "b");
    BOOST_TEST(shaped("api.paginate_page=2&api.paginate_size=3") == "d");
    BOOST_TEST(shaped("api.paginate_size=3") == "bAc");
    BOOST_TEST(shaped("api.paginate_start=4") == "d");
    BOOST_TEST(shaped("api.paginate_start=99&api.paginate_size=3") == "");
    BOOST_TEST(shaped("api.paginate=1&api.paginate_start=-1") == "bAcd");
    BOOST_TEST(metadata == R"({"paginate":{"current_page":1,"results_per_page":4,"start_result":1,"total_pages":1,)"
                           R"("total_results":4}})");
    BOOST_TEST(shaped("api.paginate=0&api.paginate_start=2&api.paginate_size=1") == "bAcd");
    BOOST_TEST(shaped("api.paginate_page=9223372036854775807&api.paginate_size=9223372036854775807") == "");
    rows.rows.clear();
    BOOST_TEST(shaped("api.paginate_start=1&api.paginate_size=10") == "");
    BOOST_TEST(metadata == R"({"paginate":{"current_page":1,"results_per_page":10,"start_result":1,"total_pages":1,)"
                           R"("total_results":0}})");
}

BOOST_AUTO_TEST_CASE(only_the_columns_asked_for_are_left_but_all_can_be_filtered_and_sorted_by) {
    const auto left = [&](const std::string& query) {
        auto copy = rows;
        (void)shaping(query).apply(copy);
        return copy;
    };
    auto sizes = left("api.columns_0=size&api.sort_column=file&api.filter_column=file&api.filter_term=php");
    BOOST_TEST(sizes.columns == std::vector<std::string>{"size"}, boost::test_tools::per_element());
    BOOST_REQUIRE(sizes.rows.size() == 2U);
    BOOST_TEST(sizes.rows[0] == std::vector<std::string>{"10"}, boost::test_tools::per_element());
    BOOST_TEST(left("api.columns=file").columns.size() == 1U);
    BOOST_TEST(left("api.columns=1&api.columns_1=size&api.columns_2=file").columns == columns,
               boost::test_tools::per_element());
    BOOST_TEST(left("api.columns=0&api.columns_1=size").columns.size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_error_names_the_argument_and_what_is_accepted) {
    BOOST_TEST(names(refusal("api.sort_column=no"), {"api.sort_column", "\"no\"", "file, size"}));
    BOOST_TEST(names(refusal("api.sort_column_3=file&api.sort_method_3=alphabet"),
                     {"api.sort_method_3", "alphabet", "ipv4, lexicographic, numeric, numeric_zero_as_max"}));
    BOOST_TEST(names(refusal("api.sort_column=file&api.sort_method=ipv_6"), {"api.sort_method", "\"ipv_6\""}));
    BOOST_TEST(names(refusal("api.sort_column=file&api.sort_reverse=yes"), {"api.sort_reverse", "1 or 0"}));
    BOOST_TEST(names(refusal("api.sort_reverse_1=1"), {"api.sort_reverse_1", "api.sort_column_1"}));
    BOOST_TEST(names(refusal("api.sort_column_x=file"), {"api.sort_column_x"}));
    BOOST_TEST(names(refusal("api.filter_column=no&api.filter_term=a"), {"api.filter_column", "file, size, or *"}));
    BOOST_TEST(names(refusal("api.filter_column=file&api.filter_type=like&api.filter_term=a"),
                     {"api.filter_type", "\"like\"", "begins"}));
    BOOST_TEST(names(refusal("api.filter_column=file"), {"api.filter_term", "missing"}));
    BOOST_TEST(names(refusal("api.filter_term_2=a"), {"api.filter_term_2", "api.filter_column_2"}));
    BOOST_TEST(names(refusal("api.filter_column=file&api.filter_type=matches&api.filter_term=%28"),
                     {"api.filter_term", "regular expression"}));
    BOOST_TEST(names(refusal("api.paginate_size=0"), {"api.paginate_size", "1 or greater"}));
    BOOST_TEST(names(refusal("api.paginate_start=-2"), {"api.paginate_start"}));
    BOOST_TEST(names(refusal("api.paginate_start=1.5"), {"api.paginate_start", "1.5"}));
    BOOST_TEST(names(refusal("api.paginate_size=99999999999999999999"), {"api.paginate_size"}));
    BOOST_TEST(names(refusal("api.paginate_page=2"), {"api.paginate_size", "missing"}));
    BOOST_TEST(names(refusal("api.columns_1=no"), {"api.columns_1", "file, size"}));
    BOOST_TEST(names(refusal("api.paginate=maybe"), {"api.paginate", "1 or 0"}));
}

BOOST_AUTO_TEST_CASE(a_too_costly_expression_is_refused) {
    rows.rows.assign(1, {"/" + std::string(40, 'a') + "!", "1"});
    BOOST_CHECK_THROW(shaped("api.filter_column=file&api.filter_type=matches&api.filter_term=(a%7Caa)%2B$"), Refusal);
}

BOOST_AUTO_TEST_CASE(json_numbers_and_booleans_are_accepted) {
    Arguments arguments;
    read_body("application/json",
              R"({"api.sort_column": "size", "api.sort_reverse": true, "api.sort_method": "numeric",)"
              R"("api.paginate_size": 2})",
              arguments);
    auto copy = rows;
    (void)RowShaping(arguments, columns).apply(copy);
    BOOST_REQUIRE(copy.rows.size() == 2U);
    BOOST_TEST(copy.rows[0][0] == "/b.php");
    Arguments compound;
    read_body("application/json", R"({"api.sort_column": ["size"]})", compound);
    BOOST_CHECK_THROW(RowShaping(compound, columns), Refusal);
}

BOOST_AUTO_TEST_SUITE_END()
