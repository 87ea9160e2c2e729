# SPDX-License-Identifier: Apache-2.0
#
# Reads apt's sources, both forms (*.list and *.sources), and writes those of Debian's own main archive
# in the deb822 form with binary packages and sources. Set codename.
#
# Debian's own: component main, a suite of this release (no backports), and no key that looks like
# somebody else's. That is a first guess, so that others need not be asked; who calls looks at the
# Origin of each Release file, once it is there.

function suite_ok(suite)
{
	sub(/(-updates|-security|\/updates)$/, "", suite)
	return suite == codename || suite ~ /^((old)*stable|testing|unstable|sid)$/
}

function key_ok(key)
{
	return key == "" || key ~ /debian[^\/]*$/ || key ~ /BEGIN PGP/
}

function emit(uris, suites, components, key, others,	i, n, word, kept, stanza)
{
	if (uris ~ /cdrom:/ || !key_ok(key))
		return
	n = split(components, word)
	for (i = 1; i <= n && word[i] != "main"; i++)
		;
	if (i > n)
		return
	n = split(suites, word)
	for (i = 1; i <= n; i++)
		if (suite_ok(word[i]))
			kept = kept " " word[i]
	if (kept == "")
		return
	stanza = "Types: deb deb-src\nURIs:" uris "\nSuites:" kept "\nComponents: main\n" others
	if (key != "")
		stanza = stanza "Signed-By:" key "\n"
	if (!(stanza in seen))
		print stanza
	seen[stanza] = 1
}

function stanza_end()
{
	if (field["types"] ~ /(^|[ \t])deb([ \t]|$)/ && field["enabled"] !~ /no|false|0/)
		emit(field["uris"], field["suites"], field["components"], field["signed-by"], others)
	split("", field)
	others = last = ""
}

function one_line(	i, name, pair, options, others, key)
{
	options = ""
	if ($2 ~ /^\[/) {
		match($0, /\[[^]]*\]/)
		options = substr($0, RSTART + 1, RLENGTH - 2)
		$0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
	}
	name["arch"] = "Architectures"
	name["lang"] = "Languages"
	name["target"] = "Targets"
	n_options = split(options, option)
	for (i = 1; i <= n_options; i++) {
		split(option[i], pair, "=")
		gsub(",", " ", pair[2])
		if (tolower(pair[1]) == "signed-by")
			key = " " pair[2]
		else
			others = others (pair[1] in name ? name[pair[1]] : pair[1]) ": " pair[2] "\n"
	}
	components = ""
	for (i = 4; i <= NF; i++)
		components = components " " $i
	emit(" " $2, $3, components, key, others)
}

FNR == 1 { stanza_end() }
/^[ \t]*#/ { next }
FILENAME ~ /\.list$/ {
	sub(/#.*/, "")
	if ($1 == "deb")
		one_line()
	next
}
/^[ \t]*$/ { stanza_end(); next }
/^[ \t]/ {
	if (last ~ /^(types|uris|suites|components|enabled|signed-by)$/)
		field[last] = field[last] "\n" $0
	else
		others = others $0 "\n"
	next
}
{
	last = tolower(substr($0, 1, index($0, ":") - 1))
	if (last ~ /^(types|uris|suites|components|enabled|signed-by)$/)
		field[last] = substr($0, index($0, ":") + 1)
	else
		others = others $0 "\n"
}
END { stanza_end() }
