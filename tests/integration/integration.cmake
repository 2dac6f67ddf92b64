# The integration tests: each a Python program that starts the installed programs behind a real web server. They need
# root. Most of their time they wait, so run.sh runs several at once; below stand those that run alone.
# A test that hangs is ended after its usual time, given below, times this: machines are slow at times.
set(integration_timeout_factor 3)
if(SANITIZE)
    set(integration_timeout_factor 8)
endif()

# The labels beside the kind are the groups of packages that a test needs (tests/package_groups.py).

# add_integration_test(NAME SECONDS [SOAK_SECONDS]): integration/NAME_test.py; its long form is a separate test that the
# ordinary run leaves out.
function(add_integration_test name seconds)
    _add_integration_test(integration.${name} "integration;nginx" ${name} ${seconds} "")
    if(ARGC GREATER 2)
        _add_integration_test(soak.${name} "soak;nginx" ${name} ${ARGV2} "CLAMSCANNER_SOAK=1")
    endif()
endfunction()

# The same behind nginx, and behind Apache as apache_proxy.NAME and apache_fcgid.NAME: a name's own beginning selects it
# behind nginx alone.
function(add_integration_test_behind_all name seconds)
    add_integration_test(${name} ${seconds})
    foreach(front proxy fcgid)
        _add_integration_test(integration.apache_${front}.${name} "integration;apache" ${name} ${seconds}
            "CLAMSCANNER_FRONT=${front}")
    endforeach()
endfunction()

function(_add_integration_test test labels name seconds environment)
    add_test(NAME ${test} COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/integration/${name}_test.py)
    math(EXPR timeout "${seconds} * ${integration_timeout_factor}")
    set_tests_properties(${test} PROPERTIES
        LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77
        ENVIRONMENT "CLAMSCANNER_BUILD_DIR=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1;${environment}")
endfunction()

# Tests that concern HTTP run behind each web server; all others behind nginx only.
add_integration_test_behind_all(main_job 120)
add_integration_test_behind_all(hostile_names 120)
add_integration_test_behind_all(web_server 120)
add_integration_test_behind_all(reload 300)
add_integration_test_behind_all(model 300)
add_integration_test_behind_all(clients 300)
add_integration_test_behind_all(statistics 300)
add_integration_test_behind_all(statistics_host 120)
add_integration_test_behind_all(token 300)
add_integration_test(page 240)
# Static files and the API, which the other tests ask for behind each web server: two are enough.
_add_integration_test(integration.apache_proxy.page "integration;apache" page 240 "CLAMSCANNER_FRONT=proxy")
add_integration_test_behind_all(slow_bodies 240)

# nginx takes in a slow body before the service sees it, mod_proxy_fcgi does not.
_add_integration_test(soak.slow_bodies "soak;nginx" slow_bodies 1200 "CLAMSCANNER_SOAK=1")
_add_integration_test(soak.apache_proxy.slow_bodies "soak;apache" slow_bodies 1200
    "CLAMSCANNER_FRONT=proxy;CLAMSCANNER_SOAK=1")
_add_integration_test(soak.model "soak;nginx" model 3600 "CLAMSCANNER_SOAK=1")
add_integration_test(privileges 120)
add_integration_test(schedule 240)
add_integration_test(sigkill 300 7200)
add_integration_test(two_accounts 120)
add_integration_test(wrong_logins 300 2400)
add_integration_test(full_home 120)
add_integration_test(full_state 120)
add_integration_test(testfiles 120)
add_integration_test(md5_twins 120)
add_integration_test(containers 120)
add_integration_test(known_contents 240)
add_integration_test(memory 240 3600)
add_integration_test(turns 300 1200)
add_integration_test(idle 180)
add_integration_test(queue 120)
add_integration_test(resume 300)
add_integration_test(signatures 240)
add_integration_test(brake 120)
add_integration_test(ignore 240)
add_integration_test(operate 300)
add_integration_test(notify 300)
add_integration_test(quarantine 240)
add_integration_test(held_accounts 120)
add_integration_test(moved_homes 240)
add_integration_test(mailbox 240)
add_integration_test(escapes 240)
add_integration_test(cancel 300)
add_integration_test(long_lists 240)
add_integration_test(who_gets_in 240)
add_integration_test(survival 240)
add_integration_test(example_site 60)
add_integration_test(sockets 240)
add_integration_test(hanging 600)
add_integration_test(hanging_for_all 120)
add_integration_test(unit_files 60)
if(FLEET)
    add_integration_test(fleet 600)
    add_integration_test(fleet_clients 120)
    add_integration_test(fleet_hosts 240)
    set_property(TEST integration.fleet integration.fleet_clients integration.fleet_hosts APPEND PROPERTY LABELS fleet)
    # It scans the homes of all of this machine's accounts.
    set_property(TEST integration.fleet_hosts PROPERTY RUN_SERIAL ON)
    set_property(TEST integration.fleet_clients APPEND PROPERTY LABELS clients)
    set_property(TEST integration.fleet_clients PROPERTY RESOURCE_LOCK npm_packages_of_clients)
else()
    foreach(name fleet fleet_clients fleet_hosts)
        add_skipped_test(integration.${name} "integration;nginx;fleet" "this build has no fleet (-DFLEET=OFF)")
    endforeach()
endif()
# (A sanitizer's runtime wants to be the first library that is loaded.)
if(NOT SANITIZE)
    add_library(slow_sync MODULE integration/slow_sync.cpp)
    add_integration_test(slow_disk 180)
endif()

# What some need beside their web server; this one starts none.
set_property(TEST integration.unit_files PROPERTY LABELS integration)
set_property(TEST integration.mailbox integration.notify APPEND PROPERTY LABELS mail)
foreach(name clients statistics token)
    set_property(TEST integration.${name} integration.apache_proxy.${name} integration.apache_fcgid.${name}
        APPEND PROPERTY LABELS clients)
endforeach()
set_property(TEST integration.page integration.apache_proxy.page APPEND PROPERTY LABELS clients page)

# One at a time: each installs the same packages of npm's.
foreach(name clients statistics)
    set_property(TEST integration.${name} integration.apache_proxy.${name} integration.apache_fcgid.${name}
        PROPERTY RESOURCE_LOCK npm_packages_of_clients)
endforeach()
set_property(TEST integration.token integration.apache_proxy.token integration.apache_fcgid.token
    PROPERTY RESOURCE_LOCK npm_packages_of_token)
set_property(TEST integration.page integration.apache_proxy.page PROPERTY RESOURCE_LOCK npm_packages_of_page)

# The longest begin first, so that in the end nothing waits for one of them.
foreach(name page apache_proxy.page notify hanging cancel)
    set_property(TEST integration.${name} PROPERTY COST 100)
endforeach()
if(FLEET)
    set_property(TEST integration.fleet PROPERTY COST 100)
endif()

# Alone: what measures; and what scans the homes of all of this machine's accounts, since others' tests have some.
foreach(name wrong_logins turns memory resume brake hanging_for_all statistics_host apache_proxy.statistics_host
        apache_fcgid.statistics_host)
    set_property(TEST integration.${name} PROPERTY RUN_SERIAL ON)
endforeach()
