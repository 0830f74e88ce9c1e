using Xunit;

namespace BlockRepl.Configuration.Tests;

/// <summary>Every refusal names the place, the thing, and what would be right.</summary>
public sealed class RefusalTests
{
    private const string A = "on a { device /dev/drbd0; disk /dev/x; address 10.0.0.1:7788; meta-disk internal; }";
    private const string B = "on b { device /dev/drbd0; disk /dev/x; address 10.0.0.2:7788; meta-disk internal; }";

    private static string Refusal(string text) =>
        Assert.Throws<ConfigurationException>(() => MemoryFiles.One(text).Read("a")).Message;

    [Theory]
    [InlineData("disk { c-fill-target 10G; }", "c-fill-target 10G => 20971520s out of range [0..1048576]s.")]
    [InlineData("net { timeout 0; }", "timeout 0 => 0 out of range [1..600].")]
    [InlineData("net { max-buffers 1T; }", "max-buffers 1T is not a number")]
    [InlineData("net { max-buffers -1; }", "max-buffers -1 is not a number")]
    [InlineData("net { max-buffers 99999999999999999999; }", "is not a number")]
    [InlineData("net { sndbuf-size 999999999999999999G; }", "out of range [0..10485760]")]
    [InlineData("disk { on-io-error foo; }", "on-io-error foo: must be one of pass_on, call-local-io-error, detach.")]
    [InlineData("disk { disk-flushes true; }", "disk-flushes true: only yes, no, or the option alone")]
    [InlineData("disk { al-extents; }", "al-extents needs a value")]
    [InlineData("net { verify-alg rot13; }", "verify-alg rot13: must be one of crc32c, md5, sha1, sha256.")]
    [InlineData("net { cram-hmac-alg crc32c; }", "cram-hmac-alg crc32c: must be one of md5, sha1, sha256.")]
    [InlineData("net { cram-hmac-alg sha1; }", "needs a shared-secret")]
    [InlineData("net { after-sb-0pri discard-node-c; }", "discard-node-a, discard-node-b")]
    [InlineData("net { after-sb-2pri consensus; }", "after-sb-2pri consensus: must be one of disconnect,")]
    [InlineData("net { protocol D; }", "protocol D: must be one of A, B, C")]
    [InlineData("net { timeout 100; }", "must be shorter than connect-int (10 s)")]
    [InlineData("net { allow-two-primaries; protocol B; }", "(139) allow-two-primaries needs protocol C")]
    [InlineData("net { on-congestion pull-ahead; }", "(155) on-congestion pull-ahead needs protocol A")]
    [InlineData("net { protocol A; } disk { fencing resource-and-stonith; }", "(154) in resource r: fencing")]
    [InlineData("net { discard-my-data; }", "blockrepl connect --discard-my-data")]
    [InlineData("disk { resync-after r/0; }", "(132) resync-after r/0: must name another volume")]
    [InlineData("net { bogus 1; }", "'bogus' is no net option. Known are: after-sb-0pri,")]
    [InlineData("handlers { before-lunch \"x\"; }", "'before-lunch' is no handlers option. Known are:")]
    [InlineData(
        "net { } net { }",
        "conflicting use of net section 'r:net' ...\n/etc/drbd.conf:1: net section 'r:net' first used here.")]
    public void An_option(string section, string expected)
    {
        string message = Refusal($"resource r {{ {section} {A} {B} }}");
        Assert.StartsWith("/etc/drbd.conf:1: ", message);
        Assert.Contains(expected, message);
    }

    [Theory]
    [InlineData("options { quorum majority; }", "'quorum' is of DRBD 9")]
    [InlineData("options { auto-promote yes; }", "'auto-promote' is of DRBD 9")]
    [InlineData("connection-mesh { hosts a b; }", "'connection-mesh' is of DRBD 9")]
    [InlineData("net { transport tcp; }", "'transport' is of DRBD 9")]
    [InlineData("on c { node-id 1; }", "'node-id' is of DRBD 9")]
    [InlineData("handlers { quorum-lost \"x\"; }", "'quorum-lost' is of DRBD 9")]
    public void What_is_not_of_8_4_is_named(string statement, string expected) =>
        Assert.Contains(expected, Refusal($"resource r {{ {statement} {A} {B} }}"));

    [Theory]
    [InlineData("resource r { " + A + " " + A + " }", "conflicting use of host section 'r: on a'")]
    [InlineData("resource r { on a { } on b { } }", "in resource r, on a { ... }: 'address' keyword missing")]
    [InlineData("resource r { on a { address 10.0.0.1:1; } on b { address 10.0.0.2:1; } }", "'device' keyword missing")]
    [InlineData(
        "resource r { device minor 0; disk /dev/x; on a { address 10.0.0.1:1; } on b { address 10.0.0.2:1; } }",
        "'meta-disk' keyword missing")]
    [InlineData(
        "resource r { on a { address 10.0.0.1:1; volume 1 { device minor 1; disk d; meta-disk m; } } "
        + "on b { address 10.0.0.2:1; } }",
        "volume 1 is defined on a but not on b")]
    [InlineData("resource r { on a { volume 0 { } device minor 0; } }", "one section cannot have both")]
    [InlineData("resource r { on a { address host:7788; } }", "'host' is no IPv4 address")]
    [InlineData("resource r { on a { address 1.2.3.4:0; } }", "port 0 out of range [1..65535]")]
    [InlineData("resource r { on a { address [::1]:1; } }", "an IPv6 address needs the word ipv6")]
    [InlineData("resource r { on a { address ipv6 [zz]:1; } }", "'zz' is no IPv6 address")]
    [InlineData("resource r { on a { device /dev/sda; } }", "must start with /dev/drbd")]
    [InlineData("resource r { on a { device /dev/drbd1 minor 2; } }", "cannot have minor 2")]
    [InlineData("resource r { on a { device minor 123456789; } }", "minor '123456789' is not a whole number")]
    [InlineData("resource r { on a { meta-disk internal[0]; } }", "internal meta data have no index")]
    [InlineData("resource r { } resource r { }", "conflicting use of resource section 'r'")]
    [InlineData("resource net { }", "got 'net', which is a keyword. If it is meant, quote it: \"net\".")]
    [InlineData("resource 12 { }", "Parse error: 'resource name' expected,\n\tbut got '12'")]
    [InlineData("resource \"\" { }", "a resource needs a name")]
    [InlineData("common { on a { } }", "common cannot have host sections")]
    [InlineData("resuorce r { }", "'resuorce' is no section. Is 'resource' meant? Known are: global, common,")]
    [InlineData("global { minor-cuont 5; }", "Is 'minor-count' meant?")]
    [InlineData("resource r { net { tiemout 5; } }", "'tiemout' is no net option. Is 'timeout' meant?")]
    [InlineData("resource r { disk { ko-count 5; } }", "It is an option of net { }.")]
    [InlineData("resource r { syncer { resync-rate 5; } }", "It is an option of disk { }.")]
    [InlineData(
        "resource r { floating 10.0.0.1:1 { address 10.0.0.1:2; } }", "has its address behind the word 'floating'")]
    [InlineData(
        "resource r { stacked-on-top-of s { device minor 1; } }", "the resource 's', on which it is to be stacked")]
    [InlineData("resource r { stacked-on-top-of s { disk /dev/x; } }", "whose disk is the lower resource")]
    [InlineData("resource r { on a { proxy on x { inside 10.0.0.1:1; } } }", "'outside' keyword missing")]
    [InlineData("global { usage-count maybe; }", "must be one of yes, no, ask")]
    [InlineData("global { minor-count 0; }", "minor-count 0 out of range [1..255]")]
    [InlineData("global { } global { }", "conflicting use of section 'global'")]
    [InlineData(
        "include \"missing.conf\";", "the included file /etc/missing.conf cannot be read: there is no such file")]
    [InlineData("skip resource x { }", "Parse error: '[ some_text ] {' expected,\n\tbut got 'resource'")]
    [InlineData("skip { {", "has no closing '}'")]
    [InlineData("resource r { on \"a", "a string is not closed")]
    [InlineData("resource r // x", "Parse error: '{' expected,\n\tbut got '//'")]
    [InlineData("resource r @", "the character '@' cannot stand here")]
    public void A_statement(string text, string expected) => Assert.Contains(expected, Refusal(text));

    [Theory]
    [InlineData("resource r { " + A + " }", "there is a host section for a only; add the peer's")]
    [InlineData(
        "resource r { " + A + B + " on c { device minor 0; disk /dev/x; address 10.0.0.3:1; meta-disk internal; } }",
        "3 host sections, but a resource has two hosts")]
    [InlineData("resource all { " + A + B + " }", "a resource cannot be called so")]
    [InlineData("resource r { proxy { memlimit 5; } " + A + B + " }", "DRBD Proxy is a product of its own")]
    [InlineData(
        "resource r { device minor 0; disk /dev/x; meta-disk internal; on a { address sdp 10.0.0.1:1; } "
        + "on b { address 10.0.0.2:1; } }",
        "'sdp' addresses (/etc/drbd.conf:1) need special hardware")]
    [InlineData(
        "resource r { device minor 0; disk /dev/x; meta-disk internal; on b { address 10.0.0.1:1; } "
        + "on a { address 10.0.0.2:1; alternate-link-address 10.0.0.2:2; } }",
        "'alternate-link-address' (/etc/drbd.conf:1) is not supported")]
    [InlineData(
        "resource low { " + A + B + " } resource r { stacked-on-top-of low { device minor 5; address 10.0.0.3:1; } "
        + "on c { device minor 5; disk /dev/x; address 10.0.0.4:1; meta-disk internal; } }",
        "stacked resources are not supported")]
    public void What_DRBD_could_run_and_BlockRepl_cannot_is_left_out_with_the_reason(string text, string reason)
    {
        NodeConfiguration node = MemoryFiles.One(text).Read("a");
        IgnoredResource ignored = Assert.Single(node.Ignored);
        Assert.Contains(reason, ignored.Reason);
        Assert.Contains(reason, node.WhyMissing(ignored.Name));
        Assert.Contains(reason, Assert.Single(node.Warnings));
    }

    [Theory]
    [InlineData("device minor 1048576;", "minor 1048576 out of range [0..1048575]")]
    [InlineData("device minor 1; disk none;", "disk needs the path of the backing device")]
    [InlineData("device minor 1; address 10.0.0.256:1;", "'10.0.0.256' is no address; write four numbers of [0..255]")]
    [InlineData("device minor 1; address ipv6 [1:2:3]:1;", "'1:2:3' is no address; write ipv6 [ADDRESS]:PORT.")]
    public void What_drbdadm_would_hand_on_and_the_kernel_refuse(string statements, string expected)
    {
        string disk = statements.Contains("disk") ? "" : "disk /dev/x;";
        string address = statements.Contains("address") ? "" : "address 10.0.0.1:1;";
        Assert.Contains(
            expected, Refusal($"resource r {{ on a {{ {statements} {disk} {address} meta-disk internal; }} {B} }}"));
    }

    [Fact]
    public void The_same_address_for_two_resources()
    {
        string text = $"resource r {{ {A} {B} }}\nresource s {{ {A.Replace("drbd0", "drbd1")} {B} }}";
        Assert.Contains(
            "/etc/drbd.conf:2: conflicting use of address '10.0.0.1:7788' ...\n/etc/drbd.conf:1: address",
            Refusal(text));
    }

    [Fact]
    public void A_missing_file_is_named_with_the_ways_out()
    {
        string message = Assert.Throws<ConfigurationException>(() => new MemoryFiles().Read("a")).Message;
        Assert.StartsWith("/etc/drbd.conf:1: the configuration cannot be read: there is no such file.", message);
        Assert.Contains("BLOCKREPL_CONFIG", message);
    }

    [Fact]
    public void The_line_of_the_statement_is_told_over_comments_and_includes()
    {
        var files = new MemoryFiles
        {
            ["/etc/drbd.conf"] = "# one\n\ninclude \"x.res\";\n",
            ["/etc/x.res"] = "resource r {\r\n  # two\r\n  net {\r\n    ko-count 999;\r\n",
        };
        Assert.StartsWith(
            "/etc/x.res:4: ko-count 999 => 999 out of range [0..200].",
            Assert.Throws<ConfigurationException>(() => files.Read("a")).Message);
    }

    [Fact]
    public void Includes_that_grow_without_end_are_refused()
    {
        var files = new MemoryFiles { ["/etc/drbd.conf"] = "include \"0\";" };
        for (int i = 0; i < 100; i++)
        {
            files[$"/etc/{i}"] = $"include \"{i + 1}\";";
        }

        Assert.Contains(
            "nested more than 32 deep", Assert.Throws<ConfigurationException>(() => files.Read("a")).Message);
    }
}
