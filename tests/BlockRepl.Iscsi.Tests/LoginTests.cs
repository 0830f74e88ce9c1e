using System.Text;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Tests.Simulated;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

public sealed class LoginTests
{
    private static readonly ChapCredentials OneWay = new(new ChapAccount("us", "our secret"), null);
    private static readonly ChapCredentials Mutual = OneWay with { Target = new ChapAccount("them", "their secret") };
    private static readonly TargetOptions Guarded =
        new() { Incoming = ("us", "our secret"), Outgoing = ("them", "their secret") };

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void Chap_opens_the_target_with_each_digest_in_both_directions(int algorithm)
    {
        TargetOptions options = Guarded with { ChapAlgorithm = algorithm };
        Assert.Equal(512, SimulatedDisk.Opened(options, chap: OneWay).Disk.SectorSize);
        Assert.Equal(512, SimulatedDisk.Opened(options, chap: Mutual).Disk.SectorSize);
    }

    [Fact]
    public void Without_authentication_a_login_takes_two_requests()
    {
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions());
        Assert.Equal(2, disk.Network.Targets[0].Heard.Count(pdu => pdu.Opcode == 3));
    }

    [Fact]
    public void One_way_credentials_are_no_hindrance_where_none_are_asked_for() =>
        Assert.Equal(512, SimulatedDisk.Opened(new TargetOptions(), chap: OneWay).Disk.SectorSize);

    [Fact]
    public void A_wrong_secret_is_named_with_the_user_and_not_shown()
    {
        IscsiException failure = SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, "refused CHAP user us",
            () => SimulatedDisk.Opened(Guarded, chap: new(new ChapAccount("us", "wrong one"), null)));
        Assert.DoesNotContain("wrong one", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_target_that_wants_chap_says_so_to_who_has_no_secret() =>
        SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, "no user and password are known",
            () => SimulatedDisk.Opened(Guarded));

    [Fact]
    public void A_target_that_need_not_be_asked_cannot_talk_us_out_of_its_proof() =>
        SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, "refused CHAP user us",
            () => SimulatedDisk.Opened(new TargetOptions(), chap: Mutual));

    [Fact]
    public void A_target_that_answers_none_to_chap_is_not_believed() =>
        SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, "AuthMethod=None and we offer CHAP",
            () => SimulatedDisk.Opened(
                Guarded with { Tamper = Rewrite("AuthMethod=CHAP", "AuthMethod=None") }, chap: Mutual));

    [Theory]
    [InlineData("them", "another secret", "its secret is not ours")]
    [InlineData("who", "their secret", "it calls itself who")]
    public void A_target_that_is_another_one_is_refused(string user, string secret, string words) =>
        SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, words,
            () => SimulatedDisk.Opened(Guarded with { Outgoing = (user, secret) }, chap: Mutual));

    [Fact]
    public void A_target_without_a_proof_is_refused() =>
        SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, "it sent no proof",
            () => SimulatedDisk.Opened(Guarded with { Outgoing = null }, chap: Mutual));

    /// <summary>It asks us to compute what we ask of it.</summary>
    [Fact]
    public void A_target_that_sends_our_challenge_back_is_refused()
    {
        // The simulation's chance is known, so the impostor knows the challenge of the second login in advance.
        byte[] random = new byte[6 + 33 + 33];
        new Random(1).NextBytes(random);
        string challenge = "0b" + Convert.ToBase64String(random[(6 + 1)..(6 + 33)]);
        TargetOptions options = Guarded with
        {
            Tamper = pdu => [SetKey(pdu, "CHAP_C", challenge)],
        };
        var network = new SimulatedNetwork(new SimulatedLun(16, 512)) { Options = _ => options };
        SimulatedDisk.Fails(
            IscsiError.AuthenticationFailed, "it sent our own challenge",
            () => SimulatedDisk.Opened(network, Mutual));
    }

    [Fact]
    public void Each_login_has_a_challenge_of_its_own()
    {
        var network = new SimulatedNetwork(new SimulatedLun(16, 512)) { Options = _ => Guarded };
        SimulatedDisk disk = SimulatedDisk.Opened(network, Mutual);
        network.Targets[0].Sent.Enqueue([0xff]);
        disk.Disk.Tick();
        network.Targets[0].Sent.Enqueue(new byte[48]);
        disk.Disk.Tick();
        disk.Read(0);
        Assert.Equal(2, network.Targets.Count);
        Assert.NotEqual(Challenge(network.Targets[0]), Challenge(network.Targets[1]));
    }

    [Theory]
    [InlineData(0x0202, IscsiError.LoginRefused, "does not allow this initiator")]
    [InlineData(0x0203, IscsiError.TargetNotFound, "knows no target iqn.2020-01.org.example:disk")]
    [InlineData(0x0204, IscsiError.TargetNotFound, "has been removed")]
    [InlineData(0x0205, IscsiError.LoginRefused, "version")]
    [InlineData(0x0206, IscsiError.LoginRefused, "no more connections")]
    [InlineData(0x020b, IscsiError.LoginRefused, "in this stage")]
    [InlineData(0x02ee, IscsiError.LoginRefused, "0x02ee")]
    [InlineData(0x0300, IscsiError.LoginRefused, "0x0300")]
    [InlineData(0x0301, IscsiError.LoginRefused, "not operational")]
    [InlineData(0x0302, IscsiError.LoginRefused, "no resources")]
    [InlineData(0x0900, IscsiError.ProtocolViolation, "0x0900")]
    public void A_refused_login_says_why(int status, IscsiError error, string words) =>
        SimulatedDisk.Fails(
            error, words, () => SimulatedDisk.Opened(new TargetOptions { LoginStatus = _ => status }));

    [Theory]
    [InlineData("10.0.0.2:3261,1", "10.0.0.2:3261")]
    [InlineData("[fe80::1]:3261,1", "[fe80::1]:3261")]
    [InlineData("elsewhere", "elsewhere:3260")]
    public void A_target_that_moved_is_followed(string address, string portal)
    {
        var network = new SimulatedNetwork(new SimulatedLun(16, 512))
        {
            Options = number => new TargetOptions
            {
                LoginStatus = _ => number == 0 ? 0x0101 : 0,
                Keys = new() { ["TargetAddress"] = address },
            },
        };
        SimulatedDisk.Opened(network);
        Assert.Equal(["10.0.0.1:3260", portal], network.Portals.Select(p => p.ToString()));
        Assert.True(network.Streams[0].IsDisposed);
    }

    [Fact]
    public void A_target_that_is_always_elsewhere_is_given_up()
    {
        var options = new TargetOptions
        {
            LoginStatus = _ => 0x0102,
            Keys = new() { ["TargetAddress"] = "10.0.0.1" },
        };
        SimulatedDisk.Fails(IscsiError.LoginRefused, "elsewhere", () => SimulatedDisk.Opened(options));
    }

    [Fact]
    public void An_address_that_is_none_is_not_followed() =>
        SimulatedDisk.Fails(
            IscsiError.ProtocolViolation, "no address",
            () => SimulatedDisk.Opened(new TargetOptions
            {
                LoginStatus = _ => 0x0101,
                Keys = new() { ["TargetAddress"] = "a b\u0007:99999999" },
            }));

    [Theory]
    [InlineData(37)]
    [InlineData(100)]
    public void Login_text_may_come_in_pieces_cut_anywhere(int piece) =>
        Assert.Equal(
            512, SimulatedDisk.Opened(Guarded with { LoginPiece = piece }, chap: Mutual).Disk.SectorSize);

    /// <summary>A request for each byte is more than any honest target needs.</summary>
    [Fact]
    public void A_login_that_never_ends_is_ended() =>
        SimulatedDisk.Fails(
            IscsiError.ProtocolViolation, "login is not over",
            () => SimulatedDisk.Opened(Guarded with { LoginPiece = 1 }, chap: Mutual));

    [Theory]
    [InlineData("HeaderDigest", "CRC64")]
    [InlineData("DataDigest", "None,CRC32C")]
    [InlineData("ImmediateData", "Perhaps")]
    [InlineData("InitialR2T", "No")]
    [InlineData("MaxBurstLength", "511")]
    [InlineData("MaxBurstLength", "262145")]
    [InlineData("FirstBurstLength", "65537")]
    [InlineData("FirstBurstLength", "-1")]
    [InlineData("MaxRecvDataSegmentLength", "0")]
    [InlineData("MaxRecvDataSegmentLength", "16777216")]
    [InlineData("MaxRecvDataSegmentLength", "0x1g")]
    [InlineData("MaxOutstandingR2T", "2")]
    [InlineData("MaxConnections", "2")]
    [InlineData("ErrorRecoveryLevel", "1")]
    [InlineData("DefaultTime2Retain", "20")]
    [InlineData("DefaultTime2Wait", "99999999999999999999")]
    [InlineData("DataPDUInOrder", "No")]
    [InlineData("DataSequenceInOrder", "No")]
    public void An_agreement_that_was_not_offered_is_refused_by_its_key(string key, string value) =>
        SimulatedDisk.Fails(
            IscsiError.ProtocolViolation, $"{key}=",
            () => SimulatedDisk.Opened(new TargetOptions { Keys = new() { [key] = value } }));

    [Theory]
    [InlineData("MaxBurstLength", "0x1000")]
    [InlineData("MaxBurstLength", "Irrelevant")]
    [InlineData("HeaderDigest", "Reject")]
    [InlineData("TargetAlias", "a disk")]
    public void Other_ways_to_say_it_are_understood(string key, string value) =>
        Assert.Equal(512, SimulatedDisk.Opened(new TargetOptions { Keys = new() { [key] = value } }).Disk.SectorSize);

    [Fact]
    public void A_key_that_is_the_targets_own_is_answered()
    {
        // It stays in the stage until it has its answer.
        bool held = false;
        var options = new TargetOptions
        {
            Keys = new() { ["X-org.example.colour"] = "blue" },
            Tamper = pdu =>
            {
                if (!held && pdu.Opcode == 0x23 && (pdu.Header[1] & 3) == 3)
                {
                    held = true;
                    pdu.Header[1] = 0x04;
                }

                return [pdu];
            },
        };
        SimulatedDisk disk = SimulatedDisk.Opened(options);
        Assert.Contains(
            disk.Network.Targets[0].Heard,
            pdu => pdu.Data.AsSpan().SequenceEqual("X-org.example.colour=NotUnderstood\0"u8));
    }

    [Theory]
    [InlineData(1, 0x89, "stage or version")]
    [InlineData(1, 0x83, "stage or version")]
    [InlineData(1, 0xc1, "stage or version")]
    [InlineData(3, 1, "stage or version")]
    [InlineData(19, 9, "someone else's")]
    [InlineData(0, 0x21, "in the login")]
    [InlineData(0, 0x3f, "rejects our login request")]
    public void A_login_answer_that_does_not_fit_is_refused(int offset, byte value, string words) =>
        SimulatedDisk.Fails(
            IscsiError.ProtocolViolation, words,
            () => SimulatedDisk.Opened(new TargetOptions
            {
                Tamper = pdu =>
                {
                    pdu.Header[offset] = value;
                    return [pdu];
                },
            }));

    [Fact]
    public void A_session_without_a_handle_is_refused() =>
        SimulatedDisk.Fails(
            IscsiError.ProtocolViolation, "without a handle",
            () => SimulatedDisk.Opened(new TargetOptions
            {
                Tamper = pdu =>
                {
                    pdu.Header[15] = 0;
                    return [pdu];
                },
            }));

    private static string Challenge(SimulatedTarget target) => Encoding.ASCII.GetString(
        target.Heard.Single(pdu => pdu.Data.AsSpan().IndexOf("CHAP_R="u8) >= 0).Data);

    private static Func<TargetPdu, IEnumerable<TargetPdu>> Rewrite(string from, string to) => pdu =>
    {
        pdu.Data = Encoding.Latin1.GetBytes(
            Encoding.Latin1.GetString(pdu.Data).Replace(from, to, StringComparison.Ordinal));
        return [pdu];
    };

    private static TargetPdu SetKey(TargetPdu pdu, string key, string value)
    {
        IEnumerable<string> pairs = Encoding.Latin1.GetString(pdu.Data)
            .Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.StartsWith(key + "=", StringComparison.Ordinal) ? $"{key}={value}" : pair);
        pdu.Data = Encoding.Latin1.GetBytes(string.Concat(pairs.Select(pair => pair + "\0")));
        return pdu;
    }
}
