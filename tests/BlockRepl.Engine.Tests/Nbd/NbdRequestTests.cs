using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Nbd;

namespace BlockRepl.Engine.Tests.Nbd;

public class NbdRequestTests
{
    private const uint Size = 1 << 20;
    private const ushort Read = 0;
    private const ushort Write = 1;
    private const ushort Trim = 4;
    private const ushort Zeroes = 6;

    [Theory]
    [InlineData(Read, 0, Size, 0, 0)]
    [InlineData(Write, 4096, 4096, 1, 0)]
    [InlineData(Read, 512, 4096, 0, 22)]
    [InlineData(Write, 0, 512, 0, 22)]
    [InlineData(Read, Size, 4096, 0, 22)]
    [InlineData(Write, Size, 4096, 0, 28)]
    [InlineData(Zeroes, Size - 4096, 8192, 0, 28)]
    [InlineData(Trim, Size - 4096, 8192, 0, 22)]
    [InlineData(Read, ulong.MaxValue - 4095, 4096, 0, 22)]
    [InlineData(Write, ulong.MaxValue - 4095, 8192, 0, 28)]
    [InlineData(Read, 0, 0, 0, 22)]
    [InlineData(Read, 0, (32 << 20) + 4096, 0, 22)]
    [InlineData(Read, 0, 4096, 2, 22)]
    [InlineData(Zeroes, 0, 4096, 2, 0)]
    [InlineData(Zeroes, 0, 4096, 16, 95)]
    [InlineData(5, 0, 4096, 0, 22)]
    [InlineData(7, 0, 4096, 0, 22)]
    [InlineData(999, 0, 4096, 0, 22)]
    public void A_request_is_let_through_or_gets_the_protocols_error(
        ushort command, ulong offset, uint length, ushort flags, uint error)
    {
        Assert.True(NbdRequest.TryParse(NbdBytes.Request(command, 1, offset, length, flags), out var request));

        Assert.Equal(error, (uint)request.Validate(new VolumeFacts(Size, 4096, CanZeroFast: false)));
    }

    [Fact]
    public void Random_requests_that_pass_lie_within_the_device()
    {
        var facts = new VolumeFacts(Size, 512, CanZeroFast: true);
        var random = new Random(20261124);
        var passed = 0;
        for (var i = 0; i < 200_000; i++)
        {
            var offset = (ulong)random.NextInt64() >> random.Next(64);
            var length = (uint)random.NextInt64() >> random.Next(32);
            var bytes = NbdBytes.Request(
                (ushort)random.Next(8), 7, offset & ~511UL, length & ~511u, (ushort)(1 << random.Next(16) & 0x1f));
            Assert.True(NbdRequest.TryParse(bytes, out var request));
            if (request.Validate(facts) != NbdError.None || request.Command == NbdCommand.Flush)
            {
                continue;
            }

            passed++;
            Assert.InRange(request.Offset + request.Length, 1u, Size);
        }

        Assert.True(passed > 1000);
    }
}
