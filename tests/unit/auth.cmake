# Unit tests and fuzz targets of root's own.
add_unit_test(credential_cache clamscanner_auth)
add_unit_test(local_accounts clamscanner_auth)
add_unit_test(login_desk clamscanner_auth)
add_unit_test(penalties clamscanner_auth)
add_unit_test(uapi_arguments clamscanner_base)
