# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# To be sourced, by bash: puts the daemons and runtimes beside this file first in PATH, and, where
# they came with libraries that the system lacks, those into LD_LIBRARY_PATH.
mote_daemons=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$mote_daemons/usr/bin:$mote_daemons/usr/sbin:$mote_daemons/bin:$PATH
export PATH
for mote_libraries in "$mote_daemons"/{usr/lib,lib}/*-linux-gnu*; do
	case $(echo "$mote_libraries"/*.so*) in
	*'*'*) continue ;;
	esac
	LD_LIBRARY_PATH=$mote_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
done
unset mote_libraries
