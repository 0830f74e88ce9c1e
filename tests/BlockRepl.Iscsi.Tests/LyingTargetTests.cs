using BlockRepl.Core.Tests;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Tests.Simulated;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>Targets that say what RFC 7143 does not allow: named, never believed, never waited for too long.</summary>
public sealed class LyingTargetTests
{
    [Theory]
    [InlineData(0x25, 19, "none of ours")]
    [InlineData(0x25, 27, "status number")]
    [InlineData(0x25, 39, "must follow")]
    [InlineData(0x25, 43, "must follow")]
    [InlineData(0x25, 47, "said to be missing")]
    [InlineData(0x21, 19, "none of ours")]
    [InlineData(0x21, 27, "status number")]
    [InlineData(0x31, 19, "none of ours")]
    [InlineData(0x31, 39, "it asks for")]
    [InlineData(0x31, 43, "it asks for")]
    [InlineData(0x31, 45, "it asks for")]
    public void A_number_that_does_not_fit_ends_the_connection(byte opcode, int offset, string words) =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, words, pdu =>
        {
            if (pdu.Opcode == opcode)
            {
                pdu.Header[offset] += 3;
                pdu.Header[1] |= opcode == 0x25 && offset == 47 ? (byte)2 : (byte)0;
            }

            return [pdu];
        });

    [Fact]
    public void A_transfer_tag_that_is_none_ends_the_connection() =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, "it asks for", pdu =>
        {
            if (pdu.Opcode == 0x31)
            {
                pdu[20] = uint.MaxValue;
            }

            return [pdu];
        });

    [Fact]
    public void More_data_than_asked_for_end_the_connection() =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, "more data than READ(10)", pdu =>
        {
            pdu.Data = pdu.Opcode == 0x25 && pdu.Data.Length == 512 ? new byte[513] : pdu.Data;
            return [pdu];
        });

    [Fact]
    public void Less_data_with_a_good_end_end_the_connection() =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, "ends well after 511 of 512", pdu =>
        {
            pdu.Data = pdu.Opcode == 0x25 && pdu.Data.Length == 512 ? new byte[511] : pdu.Data;
            return [pdu];
        });

    [Fact]
    public void Less_data_that_are_said_to_be_missing_are_no_sector() =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, "gave fewer bytes", pdu =>
        {
            if (pdu.Opcode == 0x25 && pdu.Data.Length == 512)
            {
                pdu.Data = new byte[511];
                pdu.Header[1] |= 2;
                pdu[44] = 1;
            }

            return [pdu];
        });

    [Fact]
    public void A_write_that_ends_well_before_all_was_sent_is_not_believed() =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, "WRITE(10) ends well after 0 of 512", pdu =>
            pdu.Opcode == 0x31 ? [new TargetPdu(0x21) { [16] = pdu[16], [24] = pdu[24] }] : [pdu]);

    [Theory]
    [InlineData(0x23, IscsiError.ProtocolViolation, "after the login")]
    [InlineData(0x26, IscsiError.ProtocolViolation, "answers nothing")]
    [InlineData(0x24, IscsiError.ProtocolViolation, "opcode 0x24")]
    [InlineData(0x3f, IscsiError.ConnectionLost, "rejected a PDU: protocol error")]
    public void A_pdu_that_must_not_come_ends_the_connection(byte opcode, IscsiError error, string words) =>
        EndsReadsAndWrites(error, words, pdu =>
            IsRead(pdu) ? [new TargetPdu(opcode) { [24] = pdu[24], [0] = (uint)opcode << 24 | 0x800400 }] : [pdu]);

    [Fact]
    public void An_answer_to_a_ping_that_was_none_ends_the_connection() =>
        EndsReadsAndWrites(IscsiError.ProtocolViolation, "none of ours", pdu =>
            IsRead(pdu) ? [new TargetPdu(0x20) { [16] = 0x777, [24] = pdu[24] }] : [pdu]);

    [Theory]
    [InlineData(1, "asks for a logout")]
    [InlineData(2, "drops the connection")]
    [InlineData(3, "drops all connections")]
    [InlineData(4, "negotiate again")]
    public void An_announced_end_is_an_end(byte number, string words) =>
        EndsReadsAndWrites(IscsiError.ConnectionLost, words, pdu =>
            IsRead(pdu) ? [new TargetPdu(0x32) { [24] = pdu[24], [36] = (uint)number << 24 }] : [pdu]);

    [Fact]
    public void A_command_that_was_not_carried_out_at_all_is_repeated_on_another_connection()
    {
        bool lied = false;
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions
        {
            Tamper = pdu =>
            {
                bool now = !lied && IsRead(pdu);
                lied |= now;
                return now ? [new TargetPdu(0x21) { [16] = pdu[16], [24] = pdu[24], [0] = 0x21800100 }] : [pdu];
            },
        });
        disk.Read(0);
        Assert.Equal(2, disk.Network.Targets.Count);
    }

    /// <summary>Each ping gives it the right to be heard for a little longer, if one is not careful.</summary>
    [Fact]
    public void A_target_that_talks_without_end_gains_no_time_by_it()
    {
        var network = new SimulatedNetwork(new SimulatedLun(16, 512));
        network.Options = _ => new TargetOptions
        {
            Tamper = pdu => IsRead(pdu)
                ? Enumerable.Range(0, 20000).Select(_ =>
                    new TargetPdu(0x20) { [16] = uint.MaxValue, [20] = 5, [24] = pdu[24] })
                : [pdu],
        };
        SimulatedDisk disk = SimulatedDisk.Opened(network);
        network.TickPerReceiveMs = 1;
        SimulatedDisk.Fails(IscsiError.TimedOut, "READ(10)", () => disk.Read(0));
    }

    [Fact]
    public void A_closed_command_window_is_waited_for_and_no_longer_than_the_deadline()
    {
        bool closed = false;
        var network = new SimulatedNetwork(new SimulatedLun(16, 512))
        {
            Options = _ => new TargetOptions
            {
                Tamper = pdu =>
                {
                    // Shut: the next command is not to be sent. MaxCmdSN never moves back, so it must not have moved.
                    pdu[32] = closed || pdu.Opcode == 0x23 ? pdu[32] : pdu[28] - 1;
                    return [pdu];
                },
                Window = 4,
            },
        };
        var disk = new SimulatedDisk(network);
        SimulatedDisk.Fails(
            IscsiError.TimedOut, "did not answer", () => disk.Disk.Open(SimulatedDisk.Timeout));
        Assert.Equal(4, network.Targets[0].Commands.Count);
    }

    [Fact]
    public void Any_bytes_at_any_time_are_understood_or_refused_and_never_outlast_the_deadline() =>
        Seeded.Run(1, 3000, random =>
        {
            var network = new SimulatedNetwork(new SimulatedLun(16, 512), random.Next());
            int pdus = 0;
            int bad = random.Next(0, 12);
            network.Options = _ => new TargetOptions
            {
                Incoming = ("us", "our secret"),
                Digests = random.Next(3) == 0,
                Tamper = pdu => pdus++ == bad ? Corrupt(random, pdu) : [pdu],
            };
            network.FaultsOf = _ => new Faults { LargestPiece = random.Next(1, 200) };
            var disk = new SimulatedDisk(
                network, new(new Protocol.Login.ChapAccount("us", "our secret"), null));
            long start = network.NowMs;
            try
            {
                disk.Disk.Open(SimulatedDisk.Timeout);
                disk.Read(3);
                disk.WriteRandom(3, 1, random.Next());
            }
            catch (IscsiException)
            {
                Assert.InRange(network.NowMs - start, 0, 9000);
            }
        });

    private static IEnumerable<TargetPdu> Corrupt(Random random, TargetPdu pdu)
    {
        switch (random.Next(5))
        {
            case 0:
                random.NextBytes(pdu.Header);
                break;
            case 1:
                pdu.Header[random.Next(48)] = (byte)random.Next(256);
                break;
            case 2:
                pdu.Data = new byte[random.Next(300)];
                random.NextBytes(pdu.Data);
                break;
            case 3:
                for (int i = 0; i < pdu.Data.Length; i += random.Next(1, 20))
                {
                    pdu.Data[i] = (byte)random.Next(256);
                }

                break;
            default:
                return random.Next(2) == 0 ? [] : [pdu, pdu];
        }

        return [pdu];
    }

    private static bool IsRead(TargetPdu pdu) => pdu.Opcode == 0x25 && pdu.Data.Length == 512;

    /// <summary>
    /// A target that always lies: the disk is opened, no read and write succeeds that meets the lie, each ends in time.
    /// </summary>
    private static void EndsReadsAndWrites(
        IscsiError error, string words, Func<TargetPdu, IEnumerable<TargetPdu>> tamper)
    {
        bool lies = false;
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions
        {
            ImmediateData = false,
            Tamper = pdu => lies ? tamper(pdu) : [pdu],
        });
        lies = true;
        var failures = new List<IscsiException>();
        foreach (Action action in new Action[] { () => disk.Read(1), () => disk.WriteRandom(1, 1, seed: 1) })
        {
            long start = disk.Network.NowMs;
            try
            {
                action();
            }
            catch (IscsiException e)
            {
                failures.Add(e);
            }

            Assert.InRange(disk.Network.NowMs - start, 0, 3000);
        }

        Assert.Contains(failures, e => e.Error == error && e.Message.Contains(words, StringComparison.Ordinal));
    }
}
