using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Settings;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>Names and secrets from the address, the environment and open-iscsi's files.</summary>
public sealed class IdentityTests : IDisposable
{
    private const string Name = "iqn.2020-01.org.example:disk";
    private const string Record = $"etc/iscsi/nodes/{Name}/10.0.0.1,3260,1/default";

    private readonly string _root = Directory.CreateTempSubdirectory("blockrepl-iscsi-").FullName;
    private readonly Dictionary<string, string> _environment = [];

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Without_any_setting_there_is_a_name_of_this_host_and_no_account()
    {
        Identity identity = Find();
        Assert.Equal(
            "iqn.2026-11.local.blockrepl:" + Environment.MachineName.ToLowerInvariant(), identity.InitiatorName);
        Assert.Null(identity.Chap);
    }

    [Fact]
    public void The_name_is_open_iscsis()
    {
        Write("etc/iscsi/initiatorname.iscsi", "# a comment\nInitiatorName=iqn.1993-08.org.debian:01:abc\n");
        Assert.Equal("iqn.1993-08.org.debian:01:abc", Find().InitiatorName);
    }

    [Fact]
    public void The_node_record_of_the_portal_has_the_accounts_of_both_directions()
    {
        Write($"etc/iscsi/nodes/{Name}/10.0.0.1,32600,1/default", Auth("other", "other secret"));
        Write($"etc/iscsi/nodes/{Name}/1.10.0.0.1,3260,1/default", Auth("other", "other secret"));
        Write(Record, Auth("us", "our secret", "them", "their secret"));
        Write("etc/iscsi/iscsid.conf", Auth("wrong", "wrong secret"));
        Assert.Equal(("us", "our secret", "them", "their secret"), Accounts(Find().Chap));
    }

    [Theory]
    [InlineData($"etc/iscsi/nodes/{Name}/10.0.0.9,3260,1/default")]
    [InlineData($"etc/iscsi/nodes/{Name}/10.0.0.1,3260")]
    [InlineData($"var/lib/iscsi/nodes/{Name}/10.0.0.1,3260,1/eth0")]
    [InlineData("etc/iscsi/iscsid.conf")]
    public void Other_places_will_do(string file)
    {
        Write(file, Auth("us", "our secret"));
        Assert.Equal(("us", "our secret", null, null), Accounts(Find().Chap));
    }

    [Fact]
    public void A_record_without_authentication_means_none()
    {
        Write(Record, Auth("us", "our secret").Replace("CHAP", "None", StringComparison.Ordinal));
        Write("etc/iscsi/iscsid.conf", Auth("wrong", "wrong secret"));
        Assert.Null(Find().Chap);
    }

    [Fact]
    public void The_environment_goes_before_the_files_and_the_address_before_the_environment()
    {
        Write(Record, Auth("file", "file secret", "file target", "another"));
        _environment["LIBISCSI_CHAP_USERNAME"] = "env";
        _environment["LIBISCSI_CHAP_PASSWORD"] = "env secret";
        Assert.Equal(("env", "env secret", null, null), Accounts(Find().Chap));
        _environment["LIBISCSI_CHAP_TARGET_USERNAME"] = "env target";
        _environment["LIBISCSI_CHAP_TARGET_PASSWORD"] = "target secret";
        Assert.Equal(
            ("url", "url secret", "env target", "target secret"),
            Accounts(Find($"iscsi://url%url secret@10.0.0.1/{Name}/1").Chap));
    }

    [Theory]
    [InlineData("node.session.auth.authmethod = CHAP\n", "no node.session.auth.username")]
    [InlineData("node.session.auth.authmethod = CHAP\nnode.session.auth.username = a\n", "only one of username and")]
    [InlineData(
        "node.session.auth.authmethod = CHAP\nnode.session.auth.username = a\nnode.session.auth.password = geheim\n"
        + "node.session.auth.password_in = geheim2\n", "only one of username_in and password_in")]
    public void A_record_that_is_not_whole_is_refused_by_its_name(string text, string words)
    {
        Write(Record, text);
        Refused(Record, words, () => Find());
    }

    [Fact]
    public void Half_an_account_in_the_environment_is_refused()
    {
        _environment["LIBISCSI_CHAP_PASSWORD"] = "geheim";
        Refused("LIBISCSI_CHAP_USERNAME", "only one of", () => Find());
    }

    [Fact]
    public void One_secret_for_both_directions_is_refused() =>
        Refused("us and them", "choose two", () =>
            Find($"iscsi://us%geheim@10.0.0.1/{Name}/1?target_user=them&target_password=geheim"));

    [Fact]
    public void Only_the_target_to_prove_itself_is_refused() =>
        Refused("user%password@", "so we must too", () =>
            Find($"iscsi://10.0.0.1/{Name}/1?target_user=them&target_password=geheim"));

    [Fact]
    public void A_file_that_is_a_folder_or_endless_is_no_crash()
    {
        Directory.CreateDirectory(Path.Combine(_root, "etc/iscsi/initiatorname.iscsi"));
        Write(Record, new string('x', (1 << 20) + 1));
        Refused(Record, "larger than", () => Find());
    }

    private static void Refused(string thing, string words, Action find)
    {
        IscsiException failure = Assert.Throws<IscsiException>(find);
        Assert.Equal(IscsiError.BadConfiguration, failure.Error);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.Contains(thing, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", failure.ToString(), StringComparison.Ordinal);
    }

    private Identity Find(string address = $"iscsi://10.0.0.1/{Name}/1") => Identity.Find(
        IscsiAddress.Parse(address), new OpenIscsiFiles(_root), name => _environment.GetValueOrDefault(name));

    private static (string, string, string?, string?) Accounts(ChapCredentials? chap) =>
        (chap!.Initiator.User, chap.Initiator.Secret, chap.Target?.User, chap.Target?.Secret);

    private static string Auth(string user, string secret, string? userIn = null, string? secretIn = null) =>
        $"""
        # BEGIN RECORD 2.1.8
        node.name = {Name}
        node.session.auth.authmethod = CHAP
        node.session.auth.username = {user}
        node.session.auth.password = {secret}
        {(userIn is null ? "" : $"node.session.auth.username_in = {userIn}")}
        {(secretIn is null ? "" : $"node.session.auth.password_in = {secretIn}")}
        # END RECORD

        """;

    private void Write(string file, string text)
    {
        string path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
