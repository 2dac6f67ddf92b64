# Unit tests of root's own code.
add_unit_test(auth/authd/access_keys clamscanner_auth)
add_unit_test(auth/authd/agents clamscanner_auth)
add_unit_test(auth/authd/api_tokens clamscanner_auth)
add_unit_test(auth/authd/children clamscanner_auth)
add_unit_test(auth/authd/credential_cache clamscanner_auth)
add_unit_test(auth/authd/local_accounts clamscanner_auth)
add_unit_test(auth/authd/login_desk clamscanner_auth)
add_unit_test(auth/authd/nonces clamscanner_auth)
add_unit_test(auth/authd/penalties clamscanner_auth)
add_unit_test(auth/authd/sessions clamscanner_auth)
add_unit_test(auth/authd/shadow_file clamscanner_auth)
add_unit_test(auth/authd/token_change clamscanner_auth)
add_unit_test(auth/authd/token_desk clamscanner_auth)
add_unit_test(auth/authd/uninherited_secret clamscanner_auth)
add_unit_test(auth/authd/waiting_logins clamscanner_auth)
add_unit_test(auth/identity/held_accounts clamscanner_identity)
add_unit_test(auth/base/signature clamscanner_signature clamscanner_base)

# Real PAM, but with stacks, passwords and accounts of the test's own instead of the system's.
add_unit_test(auth/authd/pam_login clamscanner_auth)
set(pam ${CMAKE_CURRENT_BINARY_DIR}/pam)
file(GLOB pam_matrix /usr/lib/*/pam_wrapper/pam_matrix.so)
set(matrix "${pam_matrix} passdb=${pam}/passwords")
file(WRITE ${pam}/passwords
    "alice:alices:clamscanner\nclosed:closeds:another\nhomeless:homeless-pw:clamscanner\nlowly:lowlys:clamscanner\n"
    "wheeled:wheeleds:clamscanner\nstranger:strangers:clamscanner\nblank:blanks:clamscanner\n")
file(WRITE ${pam}/passwd
    "alice:x:2001:2001::/tmp:/bin/sh\nclosed:x:2002:2002::/tmp:/bin/sh\nhomeless:x:2003:2003::/nonexistent:/bin/sh\n"
    "lowly:x:999:999::/tmp:/bin/sh\nwheeled:x:2004:0::/tmp:/bin/sh\nblank::2005:2005::/tmp:/bin/sh\n")
file(WRITE ${pam}/group "users:x:2001:\n")
file(WRITE ${pam}/services/clamscanner "auth required ${matrix}\naccount required ${matrix}\n")
file(WRITE ${pam}/services/other "auth required pam_deny.so\naccount required pam_deny.so\n")
file(WRITE ${pam}/services/delayed "auth optional pam_faildelay.so delay=20000000\nauth required ${matrix}\n")
file(WRITE ${pam}/services/twice "auth required ${matrix}\nauth required ${matrix}\naccount required pam_permit.so\n")
file(WRITE ${pam}/services/visible "auth required ${matrix} echo\naccount required pam_permit.so\n")
file(WRITE ${pam}/services/broken
    "auth required ${pam_matrix} passdb=${pam}/nowhere\naccount required ${pam_matrix} passdb=${pam}/nowhere\n")
file(WRITE ${pam}/services/from_there
    "auth requisite pam_succeed_if.so rhost = 192.0.2.1\nauth required ${matrix}\naccount required pam_permit.so\n")
file(WRITE ${pam}/services/open_there
    "auth required ${matrix}\naccount required pam_succeed_if.so rhost = 192.0.2.1\n")
file(WRITE ${pam}/services/blank_allowed "auth required pam_unix.so nullok\naccount required pam_permit.so\n")
file(WRITE ${pam}/services/unasked "auth required pam_permit.so\naccount required pam_permit.so\n")
# The name service's wrapper unlocks mutexes that it has not locked.
file(WRITE ${pam}/tsan "mutex:libnss_wrapper\n")
set_tests_properties(unit.pam_login PROPERTIES ENVIRONMENT
    "LD_PRELOAD=libpam_wrapper.so:libnss_wrapper.so;PAM_WRAPPER=1;PAM_WRAPPER_SERVICE_DIR=${pam}/services;NSS_WRAPPER_PASSWD=${pam}/passwd;NSS_WRAPPER_GROUP=${pam}/group;ASAN_OPTIONS=verify_asan_link_order=0;PAM_WRAPPER_DISABLE_DEEPBIND=1;UID_WRAPPER_DISABLE_DEEPBIND=1;TSAN_OPTIONS=suppressions=${pam}/tsan;NSS_WRAPPER_DISABLE_DEEPBIND=1")
