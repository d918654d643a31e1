#!/usr/bin/env bash
# Jars of a Hadoop NameNode and DataNode, for the tests of hdfs:// and webhdfs://, into the directory $2.
# They come out of the source package of an old pyspark (220 MB, of which 33 MB stay); $1 is a Python.
# Where they cannot be had the tests skip and say so, unless DVTOOL_REQUIRE_SERVERS=1.
set -uo pipefail

python=$1
place=$2
jars=(
    activation apacheds-i18n apacheds-kerberos-codec api-asn1-api api-util commons-cli commons-codec-1
    commons-collections-3 commons-configuration commons-io commons-lang-2 commons-logging guava hadoop-annotations
    hadoop-auth hadoop-common hadoop-hdfs htrace-core jackson-core-asl jackson-jaxrs jackson-mapper-asl jackson-xc
    javax.servlet-api jaxb-api jetty-6 jetty-util leveldbjni-all log4j netty-3 netty-all protobuf-java slf4j-api
    slf4j-log4j12 xbean-asm6-shaded xercesImpl xmlenc curator-client curator-framework curator-recipes zookeeper
    httpclient httpcore
)

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

fetch() {
    # pip runs the package's setup.py to learn its name; an isolated build would take a newer setuptools, which cannot.
    "$python" -m venv "$work/env" &&
        "$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'setuptools<70' wheel &&
        "$work/env/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
            --no-build-isolation --dest "$work" pyspark==2.4.8 &&
        mkdir "$work/lib" &&
        tar xzf "$work"/pyspark-2.4.8.tar.gz --strip-components=3 -C "$work/lib" --wildcards \
            $(printf '*/deps/jars/%s*.jar ' "${jars[@]}")
}

mkdir -p "$place"
if fetch; then
    rm -rf "$place/lib"
    mv "$work/lib" "$place/lib"
else
    echo "no jars of Hadoop: the tests of hdfs:// and webhdfs:// will skip" >&2
    [ "${DVTOOL_REQUIRE_SERVERS:-}" != 1 ]
fi
