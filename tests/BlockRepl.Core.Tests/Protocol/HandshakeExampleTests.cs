using System.Text;
using BlockRepl.Core.Generations;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Tests.Protocol.Golden;
using Xunit;
using static BlockRepl.Core.Tests.Protocol.ExamplePacket;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>The packets of a handshake, byte by byte: version 101 with all features, version 97 with none.</summary>
public sealed class HandshakeExampleTests
{
    private static readonly byte[] Challenge = [.. Enumerable.Range(0, 64).Select(i => (byte)i)];

    private static readonly ProtocolPacket NoIntegrity = new(
        ReplicationProtocol.C,
        AfterSplitBrain.Disconnect,
        AfterSplitBrain.Disconnect,
        AfterSplitBrain.Disconnect,
        ConnectionFlags.None,
        false,
        "");

    private static readonly SyncParamPacket SyncParam = new(250, "crc32c", "", 20, 10, 100, 102400);

    private static readonly UuidsPacket Uuids = new(
        new UuidSet(0x1122334455667788, 0, 0xa1a2a3a4a5a6a7a8, 0xb1b2b3b4b5b6b7b8), 0, UuidFlags.None);

    [Fact]
    public void First_packets_and_features_have_the_oldest_header()
    {
        CheckRaw(Framing.Initial, Command.InitialData, [], "83740267 fff2 0000");
        CheckRaw(Framing.Initial, Command.InitialMeta, [], "83740267 fff1 0000");
        Check(
            Framing.Initial,
            Command.ConnectionFeatures,
            new FeaturesPacket(86, FeatureFlags.All, 101),
            "83740267 fffe 0048 00000056 0000000f 00000065 0*60");
    }

    [Fact]
    public void Authentication()
    {
        CheckRaw(V101, Command.AuthChallenge, Challenge, """
            8620ec20 0000 0010 00000040 00000000
            000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f
            202122232425262728292a2b2c2d2e2f 303132333435363738393a3b3c3d3e3f
            """.ReplaceLineEndings(" "));
        byte[] secret = Encoding.ASCII.GetBytes("example-secret");
        CheckRaw(
            V101,
            Command.AuthResponse,
            TestDigest.Hmac(DigestAlgorithm.Sha1, secret, Challenge),
            "8620ec20 0000 0011 00000014 00000000 fe0bf4b334789d7e3bf7f569bff048dcdcb9d160");
        CheckRaw(
            V101,
            Command.AuthResponse,
            TestDigest.Hmac(DigestAlgorithm.Sha256, secret, Challenge),
            "8620ec20 0000 0011 00000020 00000000 "
                + "123e4a3a7ad282746476ac3525e2b85b b2a4944b53e67b15be65159330d613a9");
        CheckRaw(
            V101,
            Command.AuthResponse,
            TestDigest.Hmac(DigestAlgorithm.Md5, secret, Challenge),
            "8620ec20 0000 0011 00000010 00000000 37409152bc9188909afad2fb863c1060");
        CheckRaw(
            V97,
            Command.AuthResponse,
            TestDigest.Hmac(DigestAlgorithm.Sha1, secret, Challenge),
            "83740267 0011 0014 fe0bf4b334789d7e3bf7f569bff048dcdcb9d160");
    }

    [Fact]
    public void Protocol()
    {
        ProtocolPacket crc32c = NoIntegrity with { IntegrityAlgorithm = "crc32c" };
        Check(V101, Command.Protocol, NoIntegrity, "8620ec20 0000 000b 00000019 00000000 00000003 0*20 00");
        Check(V101, Command.Protocol, crc32c, "8620ec20 0000 000b 0000001f 00000000 00000003 0*20 637263333263 00");
        Check(V97, Command.Protocol, NoIntegrity, "83740267 000b 0019 00000003 0*20 00");
        Check(V97, Command.Protocol, crc32c, "83740267 000b 001f 00000003 0*20 637263333263 00");
        Check(V97 with { AgreedVersion = 86 }, Command.Protocol, NoIntegrity, "83740267 000b 0018 00000003 0*20");
    }

    [Fact]
    public void Sync_parameters_of_all_versions()
    {
        const string controller = "00000014 0000000a 00000064 00019000";
        Check(
            V101,
            Command.SyncParam89,
            SyncParam,
            "8620ec20 0000 0023 00000094 00000000 000000fa 637263333263 0*58 0*64 " + controller);
        Check(V97, Command.SyncParam89, SyncParam, "83740267 0023 0094 000000fa 637263333263 0*58 0*64 " + controller);

        SyncParamPacket older = SyncParam with { PlanAhead = 0, DelayTarget = 0, FillTarget = 0, MaxRate = 0 };
        Check(At(94), Command.SyncParam89, older, "83740267 0023 0084 000000fa 637263333263 0*58 0*64");
        Check(At(88), Command.SyncParam, older, "83740267 000a 000b 000000fa 637263333263 00");
        Check(At(87), Command.SyncParam, older with { VerifyAlgorithm = "" }, "83740267 000a 0004 000000fa");
    }

    [Fact]
    public void Sizes()
    {
        QueueLimits limits = new(4096, 512, 0, 4096, 0, true, false, false);
        SizesPacket sizes = new(0x200000, 0, 0x200000, 1 << 20, DeviceSizeFlags.None, limits);
        Check(V101, Command.Sizes, sizes, """
            8620ec20 0000 000d 00000038 00000000
            0000000000200000 0000000000000000 0000000000200000 00100000 0000 0000
            00001000 00000200 00000000 00001000 00000000 01 00 00 00
            """.ReplaceLineEndings(" "));
        Check(
            V97,
            Command.Sizes,
            sizes with { MaxIoBytes = 128 << 10, Limits = default },
            "83740267 000d 0020 0000000000200000 0000000000000000 0000000000200000 00020000 0000 0000");
    }

    [Fact]
    public void Uuids_and_state()
    {
        const string uuids = "1122334455667788 0*8 a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8 0*16";
        Check(V101, Command.Uuids, Uuids, "8620ec20 0000 000c 00000030 00000000 " + uuids);
        Check(V97, Command.Uuids, Uuids, "83740267 000c 0030 " + uuids);
        Check(V101, Command.State, new StatePacket(0xd082), "8620ec20 0000 000e 00000004 00000000 0000d082");
        Check(V97, Command.State, new StatePacket(0xd082), "83740267 000e 0004 0000d082");
    }

    [Fact]
    public void Names_without_an_end_and_numbers_beyond_any_option_are_refused()
    {
        byte[] body = new byte[148];
        Assert.Equal(ProtocolViolation.None, SyncParamPacket.TryDecode(body, V101, out _));
        body.AsSpan(4, 64).Fill((byte)'a');
        Assert.Equal(ProtocolViolation.BadContent, SyncParamPacket.TryDecode(body, V101, out _));
        body[67] = 0;
        Assert.Equal(ProtocolViolation.None, SyncParamPacket.TryDecode(body, V101, out _));
        body[10] = 0x07;
        Assert.Equal(ProtocolViolation.BadContent, SyncParamPacket.TryDecode(body, V101, out _));
        body.AsSpan().Clear();
        body[144] = 0x80;
        Assert.Equal(ProtocolViolation.BadContent, SyncParamPacket.TryDecode(body, V101, out _));

        byte[] protocol = [.. new byte[24], (byte)'m', (byte)'d', (byte)'5'];
        Assert.Equal(ProtocolViolation.BadContent, ProtocolPacket.TryDecode(protocol, V101, out _));
    }

    [Fact]
    public void Policies_that_do_not_exist_are_seen()
    {
        Assert.True(NoIntegrity.IsInRange);
        Assert.False((NoIntegrity with { Protocol = 0 }).IsInRange);
        Assert.False((NoIntegrity with { After1 = (AfterSplitBrain)11 }).IsInRange);
        Assert.False((NoIntegrity with { After2 = (AfterSplitBrain)(-1) }).IsInRange);
    }

    private static Framing At(int version) => V97 with { AgreedVersion = version };
}
