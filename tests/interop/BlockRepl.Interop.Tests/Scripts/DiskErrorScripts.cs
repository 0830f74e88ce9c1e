using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Errors of the disk below a node: the application never sees one as long as the other disk is good, the policy is
/// followed, and after a repair the disks become equal.
/// </summary>
[Trait("Category", "Interop")]
public sealed class DiskErrorScripts(Laboratory laboratory)
{
    private const int BlockBytes = 4096;
    private const long BadOffset = 8 << 20;
    private const long BadSector = BadOffset / 512;
    private const byte Pattern = 0xa5;

    /// <summary>The application writes here meanwhile, away from the bad sector.</summary>
    private static readonly LoadShape Beside = new() { Length = 4 << 20, LargestBytes = 16 << 10 };

    public static TheoryData<Side, string, Setup> Policies { get; } = new()
    {
        { Side.BlockRepl, "detach", Setup.Boards },
        { Side.Kernel, "detach", Setup.Boards },
        { Side.BlockRepl, "call-local-io-error", Setup.Careful },
        { Side.Kernel, "call-local-io-error", Setup.Careful },
        { Side.BlockRepl, "pass_on", Setup.Careful },
        { Side.Kernel, "pass_on", Setup.Careful },
    };

    public static TheoryData<Side, string, Setup> PoliciesDetachShort { get; } =
    [
        .. Policies.Select(r => r.Data).Select(d => d.Item2 == "detach" ? Variants.InShortChoice(Row(d)) : Row(d)),
    ];

    [Theory]
    [MemberData(nameof(PoliciesDetachShort))]
    public void A_write_error_under_the_Primary(Side primary, string policy, Setup setup) =>
        Play(primary, policy, setup, s =>
        {
            s.Primary.FailDisk(DiskFault.Write, BadSector);
            MustWrite(s, BadOffset);
            return s.Primary;
        });

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_read_error_under_the_Primary(Side primary, string policy, Setup setup) =>
        Play(primary, policy, setup, s =>
        {
            s.Expect("P_DATA_REQUEST", "P_DATA_REPLY");
            MustWrite(s, BadOffset);
            s.Primary.FailDisk(DiskFault.Read, BadSector);
            Assert.True(s.Primary.TryRead(BadOffset, BlockBytes), "the read has failed");
            return s.Primary;
        });

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_write_error_under_the_Secondary(Side primary, string policy, Setup setup) =>
        Play(primary, policy, setup, s =>
        {
            // With a flush due for earlier writes we end the connection instead: nobody can say that they are durable.
            s.Allow("P_NEG_ACK");
            s.Secondary.FailDisk(DiskFault.Write, BadSector);
            MustWrite(s, BadOffset);
            return s.Secondary;
        });

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_read_error_under_the_Secondary_in_a_verify(Side primary, string policy, Setup setup) =>
        Play(primary, policy, setup, s =>
        {
            // For writes and requests that arrive when the disk is just gone.
            s.Allow("P_NEG_ACK", "P_NEG_RS_DREPLY");
            s.Expect("P_OV_REQUEST");
            MustWrite(s, BadOffset);
            s.Secondary.FailDisk(DiskFault.Read, BadSector);
            s.Primary.Do("verify", $"--start={BadSector - 800}", $"--stop={BadSector + 800}");
            return s.Secondary;
        }, isVerify: true);

    /// <summary>The meta data are gone as well: nothing can be noted there.</summary>
    [Theory]
    [InlineData(Side.BlockRepl, "detach", Setup.Boards, true)]
    [InlineData(Side.Kernel, "detach", Setup.Boards, true)]
    [InlineData(Side.BlockRepl, "detach", Setup.Careful, false)]
    [InlineData(Side.Kernel, "detach", Setup.Careful, false)]
    [InlineData(Side.BlockRepl, "pass_on", Setup.Careful, true)]
    [InlineData(Side.Kernel, "pass_on", Setup.Careful, true)]
    public void A_disk_that_is_gone_altogether(Side primary, string policy, Setup setup, bool underPrimary) =>
        Play(primary, policy, setup, s =>
        {
            s.Allow("P_NEG_ACK");
            Host failing = underPrimary ? s.Primary : s.Secondary;
            failing.FailDisk(DiskFault.All);
            MustWrite(s, BadOffset);

            // With pass_on it is the meta data that make it give up the disk: a new extent is written to the log.
            MustWrite(s, BadOffset * 2);
            return failing;
        }, isGone: true);

    private static TheoryDataRow<Side, string, Setup> Row((Side Primary, string Policy, Setup Setup) data) =>
        new(data.Primary, data.Policy, data.Setup);

    private static void MustWrite(Scenario s, long offset) =>
        Assert.True(s.Primary.TryWrite(offset, BlockBytes, Pattern), "the write has failed");

    /// <param name="provoke">Makes the disk of a node fail, and says of which.</param>
    private void Play(
        Side primary, string policy, Setup setup, Func<Scenario, Host> provoke, bool isVerify = false,
        bool isGone = false)
    {
        var configuration = new Configuration
        {
            Setup = setup, OnIoError = policy, DisksCanFail = true,
            Sections = Configuration.RecordHandlers("local-io-error"),
        };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt(Beside);
            Host failing = provoke(s);
            Host other = failing == s.Primary ? s.Secondary : s.Primary;

            // A disk that is being verified is UpToDate by definition: with pass_on only the block is marked, by both.
            string left = policy != "pass_on" || isGone ? "Diskless" : isVerify ? "UpToDate" : "Inconsistent";
            failing.WaitFor(h => h.Disk == left && (left != "UpToDate" || h.OutOfSyncKiB > 0), "what the policy says");
            other.WaitFor(h => h.PeerDisk == left, "the news of it");
            Assert.Equal("UpToDate", other.Status().Disk);
            string[] called = policy == "call-local-io-error" ? ["local-io-error"] : [];
            Poll.Until(() => failing.HandlersCalled().SequenceEqual(called), "the handlers", 10);
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            long size = s.DeviceBytes();
            Assert.Equal(other.Disks.Hash(Disks.Small, size), s.Primary.HashOfDevice(size));
            Repair(s, failing, left);
            s.MustBeEqual();
            Assert.Equal(s.Secondary.Disks.Hash(Disks.Small, size), s.Primary.HashOfDevice(size));
        });
    }

    /// <summary>The operator has a good disk put in, which still has what was on the bad one.</summary>
    private static void Repair(Scenario s, Host failing, string left)
    {
        failing.MendDisk();
        if (left != "Diskless")
        {
            s.WaitForNoResync();
            failing.Do("detach");
            failing.WaitFor(h => h.Disk == "Diskless", "the detach");
        }

        failing.Do("attach");
    }
}
