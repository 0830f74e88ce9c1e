using System.Buffers.Binary;
using System.Text;
using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Nbd;

namespace BlockRepl.Engine.Tests.Nbd;

public class NbdNegotiationTests
{
    private const uint Ack = 1;
    private const uint Server = 2;
    private const uint InfoReply = 3;

    private readonly FakeExports _exports = new();

    [Fact]
    public void The_greeting_offers_fixed_newstyle_without_zeroes()
    {
        var negotiation = new NbdNegotiation(_exports);

        var greeting = negotiation.Output.WrittenSpan;

        Assert.Equal("NBDMAGICIHAVEOPT", Encoding.ASCII.GetString(greeting[..16]));
        Assert.Equal(3, BinaryPrimitives.ReadUInt16BigEndian(greeting[16..]));
        Assert.Equal(18, greeting.Length);
    }

    [Fact]
    public void Go_on_a_primary_answers_size_flags_and_block_sizes_and_opens_it()
    {
        var (negotiation, output) =
            Run(NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.Go, NbdBytes.InfoData("r0/0")));

        Assert.Equal(NbdNegotiationState.Transmission, negotiation.State);
        Assert.Equal("r0/0", negotiation.ExportName);
        Assert.Equal(1, _exports.Opens);
        var replies = NbdBytes.ParseReplies(output);
        Assert.Equal([InfoReply, InfoReply, Ack], replies.Select(r => r.Type));
        var export = replies[0].Data;
        Assert.Equal(0, BinaryPrimitives.ReadUInt16BigEndian(export));
        Assert.Equal(1UL << 30, BinaryPrimitives.ReadUInt64BigEndian(export.AsSpan(2)));
        Assert.Equal(0b1001_0110_1101, BinaryPrimitives.ReadUInt16BigEndian(export.AsSpan(10)));
        var blocks = replies[1].Data;
        Assert.Equal(3, BinaryPrimitives.ReadUInt16BigEndian(blocks));
        Assert.Equal(4096u, BinaryPrimitives.ReadUInt32BigEndian(blocks.AsSpan(2)));
        Assert.Equal(4096u, BinaryPrimitives.ReadUInt32BigEndian(blocks.AsSpan(6)));
        Assert.Equal(32u << 20, BinaryPrimitives.ReadUInt32BigEndian(blocks.AsSpan(10)));
    }

    [Fact]
    public void Info_answers_without_opening_and_the_negotiation_goes_on()
    {
        var (negotiation, output) = Run(
            NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.Info, NbdBytes.InfoData("r0/0", 1, 2, 3)));

        Assert.Equal(NbdNegotiationState.Receiving, negotiation.State);
        Assert.Equal(0, _exports.Opens);
        Assert.Equal(
            [InfoReply, InfoReply, InfoReply, InfoReply, Ack], NbdBytes.ParseReplies(output).Select(r => r.Type));
    }

    [Theory]
    [InlineData(NbdBytes.Go)]
    [InlineData(NbdBytes.Info)]
    public void A_secondary_is_refused_in_words(uint option)
    {
        _exports.Refusal = "r0/0 is Secondary on this node; run: blockrepl primary r0";

        var (negotiation, output) = Run(NbdBytes.ClientFlags(3), NbdBytes.Option(option, NbdBytes.InfoData("r0/0")));

        var reply = Assert.Single(NbdBytes.ParseReplies(output));
        Assert.Equal(0x80000002, reply.Type);
        Assert.Equal(_exports.Refusal, Encoding.UTF8.GetString(reply.Data));
        Assert.Equal(NbdNegotiationState.Receiving, negotiation.State);
    }

    [Fact]
    public void An_unknown_export_is_refused_by_name()
    {
        var (_, output) = Run(NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.Go, NbdBytes.InfoData("r9/0")));

        var reply = Assert.Single(NbdBytes.ParseReplies(output));
        Assert.Equal(0x80000006, reply.Type);
        Assert.Contains("r9/0", Encoding.UTF8.GetString(reply.Data), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u, 134)]
    [InlineData(1u, 134)]
    [InlineData(3u, 10)]
    public void Export_name_answers_size_and_flags_with_padding_unless_declined(uint flags, int bytes)
    {
        var (negotiation, output) = Run(
            NbdBytes.ClientFlags(flags), NbdBytes.Option(NbdBytes.ExportName, "r0/0"u8));

        Assert.Equal(NbdNegotiationState.Transmission, negotiation.State);
        Assert.Equal(bytes, output.Length);
        Assert.Equal(1UL << 30, BinaryPrimitives.ReadUInt64BigEndian(output));
    }

    [Fact]
    public void Export_name_of_a_secondary_closes_with_the_reason_for_the_log()
    {
        _exports.Refusal = "r0/0 is Secondary";

        var (negotiation, output) = Run(NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.ExportName, "r0/0"u8));

        Assert.Equal(NbdNegotiationState.Closed, negotiation.State);
        Assert.Equal(_exports.Refusal, negotiation.CloseReason);
        Assert.Empty(output);
    }

    [Fact]
    public void List_names_every_export()
    {
        var (_, output) = Run(NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.List, []));

        var replies = NbdBytes.ParseReplies(output);
        Assert.Equal([Server, Server, Ack], replies.Select(r => r.Type));
        Assert.Equal("r0/0", Encoding.UTF8.GetString(replies[0].Data.AsSpan(4)));
    }

    [Theory]
    [InlineData(5u, 0x80000002)] // STARTTLS
    [InlineData(8u, 0x80000001)] // STRUCTURED_REPLY
    [InlineData(4711u, 0x80000001)]
    public void Options_that_are_not_offered_are_refused_and_the_negotiation_goes_on(uint option, uint error)
    {
        var (negotiation, output) = Run(
            NbdBytes.ClientFlags(3), NbdBytes.Option(option, []),
            NbdBytes.Option(NbdBytes.Go, NbdBytes.InfoData("r0/0")));

        Assert.Equal(error, NbdBytes.ParseReplies(output)[0].Type);
        Assert.Equal(NbdNegotiationState.Transmission, negotiation.State);
    }

    [Fact]
    public void Abort_is_acknowledged_and_closes()
    {
        var (negotiation, output) = Run(NbdBytes.ClientFlags(3), NbdBytes.Option(2, []));

        Assert.Equal(Ack, Assert.Single(NbdBytes.ParseReplies(output)).Type);
        Assert.Equal(NbdNegotiationState.Closed, negotiation.State);
    }

    [Fact]
    public void An_option_above_8_KiB_is_skipped_and_refused()
    {
        var (negotiation, output) = Run(
            NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.Go, new byte[NbdNegotiation.MaxOptionBytes + 5000]));

        Assert.Equal(0x80000009, Assert.Single(NbdBytes.ParseReplies(output)).Type);
        Assert.Equal(NbdNegotiationState.Receiving, negotiation.State);
    }

    [Fact]
    public void An_option_that_claims_4_GiB_closes()
    {
        var header = NbdBytes.Option(NbdBytes.Go, []);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(12), uint.MaxValue);

        var (negotiation, _) = Run(NbdBytes.ClientFlags(3), header);

        Assert.Equal(NbdNegotiationState.Closed, negotiation.State);
    }

    [Fact]
    public void Endless_options_close()
    {
        var steps = new List<byte[]> { NbdBytes.ClientFlags(3) };
        for (var i = 0; i <= NbdNegotiation.MaxOptions; i++)
        {
            steps.Add(NbdBytes.Option(8, []));
        }

        Assert.Equal(NbdNegotiationState.Closed, Run([.. steps]).Negotiation.State);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0, 0, 0, 4, (byte)'r', (byte)'0' })]
    [InlineData(new byte[] { 0xff, 0xff, 0xff, 0xff, 0, 0, 0 })]
    [InlineData(new byte[] { 0, 0, 0, 1, (byte)'r', 0, 2, 0, 0 })]
    [InlineData(new byte[] { 0, 0, 0, 1, 0xff, 0, 0 })]
    public void Go_with_lengths_that_do_not_fit_or_a_name_that_is_no_text_is_refused_as_invalid(byte[] data)
    {
        var (_, output) = Run(NbdBytes.ClientFlags(3), NbdBytes.Option(NbdBytes.Go, data));

        Assert.Equal(0x80000003, Assert.Single(NbdBytes.ParseReplies(output)).Type);
    }

    [Fact]
    public void Any_bytes_end_in_a_refusal_or_wait_for_more_and_bounds_hold()
    {
        for (var seed = 1; seed <= 3000; seed++)
        {
            var random = new Random(seed);
            var exports = new FakeExports();
            var negotiation = new NbdNegotiation(exports);
            for (var step = 0; step < 40 && negotiation.State == NbdNegotiationState.Receiving; step++)
            {
                Assert.True(negotiation.BytesWanted is > 0 and <= NbdNegotiation.MaxOptionBytes, $"seed {seed}");
                var bytes = RandomStep(random, negotiation.BytesWanted);
                negotiation.Feed(bytes);
                Assert.True(negotiation.Output.WrittenCount < 1 << 20, $"seed {seed}");
            }

            Assert.Equal(negotiation.State == NbdNegotiationState.Transmission, exports.Opens > 0);
        }
    }

    /// <summary>Half of the steps are plausible headers, so that random data reach each option's parser.</summary>
    private static byte[] RandomStep(Random random, int wanted)
    {
        var bytes = new byte[wanted];
        random.NextBytes(bytes);
        if (wanted == 4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)random.Next(random.Next(2) == 0 ? 4 : 6));
        }
        else if (wanted == 16 && random.Next(8) != 0)
        {
            var option = NbdBytes.Option((uint)random.Next(12), []);
            BinaryPrimitives.WriteUInt32BigEndian(
                option.AsSpan(12), (uint)random.Next(random.Next(4) == 0 ? 20_000 : 40));
            return option;
        }
        else if (wanted > 8 && random.Next(2) == 0)
        {
            NbdBytes.InfoData("r0/0", (ushort)random.Next(4)).AsSpan(0, Math.Min(wanted, 12)).CopyTo(bytes);
        }

        return bytes;
    }

    private (NbdNegotiation Negotiation, byte[] Output) Run(params byte[][] sent)
    {
        var negotiation = new NbdNegotiation(_exports);
        negotiation.Output.ResetWrittenCount();
        var bytes = sent.SelectMany(b => b).ToArray().AsSpan();
        while (!bytes.IsEmpty && negotiation.State == NbdNegotiationState.Receiving)
        {
            var wanted = negotiation.BytesWanted;
            negotiation.Feed(bytes[..wanted]);
            bytes = bytes[wanted..];
        }

        return (negotiation, negotiation.Output.WrittenSpan.ToArray());
    }

    private sealed class FakeExports : INbdExports
    {
        public string Refusal { get; set; } = "";

        public int Opens { get; private set; }

        public IReadOnlyList<string> ListNames() => ["r0/0", "r0/1"];

        public bool TryDescribe(string name, out VolumeFacts facts, out string refusal)
        {
            facts = new VolumeFacts(1L << 30, 4096, CanZeroFast: true);
            refusal = name == "r0/0" ? Refusal : "";
            return name == "r0/0" && refusal.Length == 0;
        }

        public bool TryOpen(string name, out VolumeFacts facts, out string refusal)
        {
            var granted = TryDescribe(name, out facts, out refusal);
            Opens += granted ? 1 : 0;
            return granted;
        }
    }
}
