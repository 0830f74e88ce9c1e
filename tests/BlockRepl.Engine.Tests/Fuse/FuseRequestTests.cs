using BlockRepl.Core;
using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Fuse;

namespace BlockRepl.Engine.Tests.Fuse;

/// <summary>Any bytes at all are a request or are refused; ranges are checked without overflow.</summary>
public sealed class FuseRequestTests
{
    private static readonly VolumeFacts Facts = new(1 << 20, 4096, CanZeroFast: true);

    [Fact]
    public void Any_bytes_are_parsed_or_refused()
    {
        const int seed = 20;
        var random = new Random(seed);
        var head = new byte[FuseProtocol.WriteHeadBytes];
        for (var i = 0; i < 100_000; i++)
        {
            random.NextBytes(head);
            var bytes = random.Next(1, 600_000);
            if (i % 2 == 0)
            {
                BitConverter.TryWriteBytes(head, bytes);
                BitConverter.TryWriteBytes(head.AsSpan(4), random.Next(60));
                BitConverter.TryWriteBytes(head.AsSpan(16), random.NextInt64(3));
            }

            var parsed = FuseRequest.TryParse(head, bytes, out var request);
            Assert.Equal(bytes >= 40 && BitConverter.ToInt32(head) == bytes, parsed);
            if (parsed && request is { Opcode: FuseOpcode.Write, Error: FuseError.None })
            {
                Assert.Equal((ulong)(bytes - FuseProtocol.WriteHeadBytes), request.Length);
            }

            _ = request.ValidateRange(Facts, FuseSession.MaxTransferBytes);
            _ = request.TryGetZeroKind(out _);
        }
    }

    [Theory]
    [InlineData(0, 4096, true)]
    [InlineData((1 << 20) - 4096, 4096, true)]
    [InlineData(1 << 20, 4096, false)]
    [InlineData((1 << 20) - 4096, 8192, false)]
    [InlineData(512, 4096, false)]
    [InlineData(4096, 512, false)]
    [InlineData(4096, 0, false)]
    [InlineData(-4096, 8192, false)]
    [InlineData(0, -4096, false)]
    public void A_range_lies_in_the_device_and_consists_of_blocks(long offset, long length, bool valid)
    {
        var request = new FuseRequest(FuseOpcode.Allocate, 1, (ulong)offset, (ulong)length, 0, FuseError.None);

        Assert.Equal(valid ? FuseError.None : FuseError.Invalid, request.ValidateRange(Facts, long.MaxValue));
    }

    [Theory]
    [InlineData(3, true, RequestKind.WriteZeroesMayUnmap)]
    [InlineData(17, true, RequestKind.WriteZeroesNoUnmap)]
    [InlineData(16, true, RequestKind.WriteZeroesNoUnmap)]
    [InlineData(0, false, default(RequestKind))]
    [InlineData(1, false, default(RequestKind))]
    [InlineData(2, false, default(RequestKind))]
    [InlineData(8, false, default(RequestKind))]
    [InlineData(19, false, default(RequestKind))]
    public void Holes_and_ranges_of_zeroes_are_all_that_can_be_allocated(uint mode, bool known, RequestKind kind)
    {
        var request = new FuseRequest(FuseOpcode.Allocate, 1, 0, 4096, mode, FuseError.None);

        Assert.Equal(known, request.TryGetZeroKind(out var found));
        if (known)
        {
            Assert.Equal(kind, found);
        }
    }
}
