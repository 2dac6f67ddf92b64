// The part of clamscanner-fleet that runs after it has given up root: as clamscanner-fleetd's own user it keeps the
// list of machines, and shows what the fleet's database has. A secret comes from standard input alone.
#include <curl/curl.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "auth/base/account.h"
#include "auth/base/checked.h"
#include "auth/base/command_forms.h"
#include "auth/base/log.h"
#include "jobs/fleet/fleet_answers.h"
#include "jobs/fleet/fleet_database.h"
#include "jobs/fleet/machine_keys.h"
#include "jobs/shared/json_writer.h"
#include "jobs/shared/refusal.h"
#include "jobs/shared/settings.h"
#include "jobs/shared/unprivileged.h"

namespace clamscanner {
namespace {

struct Context {
    const CommandLine& line;
    const Settings& settings;
    Postgres& postgres;
    MachineKeys keys;
    [[nodiscard]] bool json() const { return line.has("json"); }
    [[nodiscard]] std::string operand(std::size_t place) const {
        return line.operands().size() > place ? line.operands()[place] : "";
    }
};

// A row of a list: names, which are the keys in JSON, and values, texts or numbers as PostgreSQL writes them.
struct Field {
    const char* name;
    std::string value;
    bool is_number = false;
};

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

// A line each: an object, or the values with tabs between them.
void print_row(const Context& context, const std::vector<Field>& fields) {
    if (context.json()) {
        print(json_object([&](JsonWriter& json) {
                  for (const auto& field : fields) {
                      json.key(field.name);
                      field.is_number ? json.number(std::stoull(field.value)) : json.text(field.value);
                  }
              }) +
              "\n");
        return;
    }
    std::string text;
    for (const auto& field : fields) text += (text.empty() ? "" : "\t") + printable(field.value);
    print(text + "\n");
}

void print_rows(const Context& context, const Rows& rows, const std::vector<const char*>& names,
                std::size_t first_number) {
    for (int row = 0; row < rows.size(); ++row) {
        std::vector<Field> fields;
        for (std::size_t column = 0; column < names.size(); ++column)
            fields.push_back({names[column], rows.text(row, static_cast<int>(column)), column >= first_number});
        print_row(context, fields);
    }
}

// "https://HOST" or "https://HOST:PORT", in lower case, as it is signed.
std::string checked_url(const std::string& given) {
    const auto part = [&](CURLU* url, CURLUPart which) {
        char* text = nullptr;
        const bool is_there = ::curl_url_get(url, which, &text, 0) == CURLUE_OK;
        std::string copy = is_there ? text : "";
        ::curl_free(text);
        return copy;
    };
    const std::unique_ptr<CURLU, void (*)(CURLU*)> url(::curl_url(), &::curl_url_cleanup);
    const bool is_url = url && ::curl_url_set(url.get(), CURLUPART_URL, given.c_str(), 0) == CURLUE_OK;
    const auto port = is_url ? part(url.get(), CURLUPART_PORT) : "";
    auto plain = is_url ? "https://" + part(url.get(), CURLUPART_HOST) + (port.empty() ? "" : ":" + port) : "";
    std::ranges::transform(plain, plain.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    auto wanted = given;
    std::ranges::transform(wanted, wanted.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    if (plain.empty() || (wanted != plain && wanted != plain + "/"))
        throw UsageError("the address of a machine's statistics server is " + quoted(given) +
                         "; accepted: https://HOST or https://HOST:PORT");
    return plain;
}

std::string checked_name(const std::string& name) {
    if (!is_machine_name(name))
        throw UsageError("the name of a machine is " + quoted(name) +
                         "; accepted: at most 64 letters, digits, '-', '_' and '.'");
    return name;
}

MachineKey key_from_standard_input() {
    if (::isatty(STDIN_FILENO) == 1)
        std::fputs("The machine's access key, as clamscanner-keys prints it there: id and secret, a line each.\n",
                   stderr);
    constexpr std::size_t longest = 1024;
    std::string text;
    char chunk[256];
    for (int lines = 0; lines < 2 && text.size() < longest;) {
        const auto got =
            checked(uninterrupted([&] { return ::read(STDIN_FILENO, chunk, sizeof chunk); }), "read the key");
        if (got == 0) break;
        text.append(chunk, static_cast<std::size_t>(got));
        lines = static_cast<int>(std::ranges::count(text, '\n'));
    }
    ::explicit_bzero(chunk, sizeof chunk);
    auto key = read_machine_key(text);
    ::explicit_bzero(text.data(), text.size());
    return key;
}

int init(const Context& context) {
    const int before = migrate(context.postgres);
    print_row(context, {{"version_before", std::to_string(before), true}});
    return EX_OK;
}

int add(const Context& context) {
    const auto name = checked_name(context.operand(1));
    const auto url = checked_url(context.operand(2));
    const auto key = key_from_standard_input();
    context.keys.store(name, key);
    if (!add_machine(context.postgres, name, url))
        throw Refusal(200,
                      "There is a machine " + name + " with another address: remove it first. Its key was replaced.");
    print_row(context, {{"name", name}, {"url", url}});
    return EX_OK;
}

int remove(const Context& context) {
    const auto name = checked_name(context.operand(1));
    const bool was_there = remove_machine(context.postgres, name);
    context.keys.remove(name);
    if (!was_there) throw Refusal(200, "There is no machine " + name + ".");
    return EX_OK;
}

int list(const Context& context) {
    const auto rows = context.postgres.run(
        "SELECT name, url, uuid::text, "
        "CASE WHEN problem <> '' THEN 'problem' WHEN seen IS NULL THEN 'new' ELSE 'answers' END, "
        "coalesce(to_char(seen AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), ''), "
        "coalesce(to_char(reinstalled AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), ''), problem "
        "FROM machine WHERE removed IS NULL ORDER BY name");
    print_rows(context, rows, {"name", "url", "uuid", "state", "last_seen", "reinstalled", "problem"}, 7);
    return EX_OK;
}

void print_summary(const Context& context) {
    const auto now = fleet_statistics(context.postgres);
    if (!now.ever) throw Refusal(200, "There was no scan of all machines yet.");
    print_row(context, {{"task", now.task},
                        {"status", std::to_string(now.status), true},
                        {"percent", std::to_string(now.percent), true},
                        {"machines", std::to_string(now.machines), true},
                        {"completed", std::to_string(now.completed), true},
                        {"safe", std::to_string(now.safe), true},
                        {"suspicious", std::to_string(now.suspicious), true},
                        {"infected_files", std::to_string(now.infected), true}});
}

// One line for all of it, then one for each machine.
int status(const Context& context) {
    auto task = context.operand(1);
    if (task.empty()) print_summary(context);
    const auto rows = context.postgres.run(
        "SELECT m.name, s.state, s.percent, s.infected, s.findings, coalesce(s.result, ''), "
        "CASE WHEN s.remark <> '' THEN s.remark WHEN s.state < 100 THEN m.problem ELSE '' END "
        "FROM subtask s JOIN machine m ON m.id = s.machine "
        "WHERE s.task = CASE WHEN $1 = '' THEN (SELECT id FROM task ORDER BY number DESC LIMIT 1) ELSE $1 END "
        "ORDER BY m.name, m.id",
        task);
    if (rows.empty() && !task.empty()) throw Refusal(200, "There is no task " + printable(task) + ".");
    for (int row = 0; row < rows.size(); ++row)
        print_row(context, {{"machine", rows.text(row, 0)},
                            {"state", rows.text(row, 1), true},
                            {"percent", rows.text(row, 2), true},
                            {"infected_files", rows.text(row, 3), true},
                            {"findings", rows.text(row, 4), true},
                            {"result", rows.text(row, 5)},
                            {"problem", rows.text(row, 6)}});
    return EX_OK;
}

int scan(const Context& context) {
    const auto task = start_task(context.postgres, "administrator", context.settings.fleet.deadline_minutes);
    print_row(context, {{"task", task}});
    return EX_OK;
}

// Of the latest task; of one machine those of all tasks, also from before it was installed anew.
int findings(const Context& context) {
    const auto machine = context.operand(1);
    std::int64_t subtask = 0;
    std::int64_t event = -1;
    for (;;) {
        const auto rows = context.postgres.run(
            "SELECT s.id, f.event, m.name, f.signature, f.path, f.found_ms, s.task, "
            "CASE WHEN s.installation = (SELECT uuid FROM installation i WHERE i.machine = m.id ORDER BY i.id DESC "
            "LIMIT 1) "
            "THEN 'present' ELSE 'earlier' END "
            "FROM finding f JOIN subtask s ON s.id = f.subtask JOIN machine m ON m.id = s.machine "
            "WHERE (f.subtask, f.event) > ($1::bigint, $2::bigint) AND "
            "CASE WHEN $3 = '' THEN s.task = (SELECT id FROM task ORDER BY number DESC LIMIT 1) ELSE m.name = $3 END "
            "ORDER BY f.subtask, f.event LIMIT 1000",
            subtask, event, machine);
        for (int row = 0; row < rows.size(); ++row)
            print_row(context, {{"machine", rows.text(row, 2)},
                                {"virus_type", rows.text(row, 3)},
                                {"file", rows.bytes(row, 4)},
                                {"found_ms", rows.text(row, 5), true},
                                {"task", rows.text(row, 6)},
                                {"installation", rows.text(row, 7)}});
        if (rows.empty()) return EX_OK;
        subtask = rows.number(rows.size() - 1, 0);
        event = rows.number(rows.size() - 1, 1);
    }
}

struct Verb {
    const char* name;
    std::size_t least;  // operands behind it
    std::size_t most;
    int (*run)(const Context& context);
};

constexpr Verb verbs[] = {{"init", 0, 0, init},        {"add-machine", 2, 2, add}, {"remove-machine", 1, 1, remove},
                          {"list", 0, 0, list},        {"status", 0, 1, status},   {"scan", 0, 0, scan},
                          {"findings", 0, 1, findings}};

const Verb& verb_of(const CommandLine& line) {
    const auto& words = line.operands();
    const auto* const verb =
        std::ranges::find_if(verbs, [&](const Verb& one) { return !words.empty() && words.front() == one.name; });
    if (verb == std::end(verbs)) throw UsageError("no such command");
    if (words.size() < 1 + verb->least || words.size() > 1 + verb->most)
        throw UsageError(std::string(verb->name) + ": too many or too few words");
    return *verb;
}

int run(const CommandLine& line) try {
    refuse_root();
    const auto& verb = verb_of(line);
    const auto settings = read_settings(line.config_file());
    if (!settings.fleet.is_centre())
        throw ConfigError(settings.name_of("fleet.database") + " is empty: this host is no centre of a fleet");
    require_to_run_as(settings, "fleet.user", {settings.fleet.user});
    give_up_privileges();
    Postgres postgres(settings.fleet.database);
    if (verb.run != init) require_schema(postgres);
    return verb.run({line, settings, postgres, MachineKeys(settings.fleet.keys_directory)});
} catch (const Refusal& refusal) {
    std::fprintf(stderr, "clamscanner-fleet: %s\n", refusal.what());
    return EX_TEMPFAIL;
} catch (const PostgresError& error) {
    std::fprintf(stderr, "clamscanner-fleet: %s\n", error.what());
    return EX_UNAVAILABLE;
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    using namespace clamscanner;
    return run_command(fleet_form, argc, argv, EX_CONFIG, run);
}
