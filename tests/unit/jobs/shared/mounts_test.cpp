#include "jobs/shared/mounts.h"

#include <boost/test/unit_test.hpp>

namespace clamscanner {
namespace {

BOOST_AUTO_TEST_CASE(a_fuse_mount_names_its_user) {
    const std::string sshfs =
        "36 35 0:40 / /home/alice/x rw,nosuid,nodev shared:7 - fuse.sshfs a@b: rw,user_id=1001,group_id=1001";
    BOOST_TEST(is_fuse_mount_of(sshfs, 1001));
    BOOST_TEST(!is_fuse_mount_of(sshfs, 100));
    BOOST_TEST(!is_fuse_mount_of(sshfs, 0));
    BOOST_TEST(is_fuse_mount_of("36 35 0:40 / /home/x rw - fuse my,user_id=7 rw,user_id=0,group_id=0,allow_other", 0));
    BOOST_TEST(!is_fuse_mount_of("36 35 0:40 / /home/x rw - fuse my,user_id=7 rw,user_id=0,group_id=0", 7));
}

BOOST_AUTO_TEST_CASE(other_mounts_belong_to_no_user) {
    for (const char* line : {"", "36 35 8:1 / / rw,user_id=1001 - ext4 /dev/sda1 rw,user_id=1001", "36 35 - "})
        BOOST_TEST(!is_fuse_mount_of(line, 1001), line);
}

}  // namespace
}  // namespace clamscanner
