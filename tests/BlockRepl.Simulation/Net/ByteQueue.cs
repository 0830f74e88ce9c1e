namespace BlockRepl.Simulation.Net;

/// <summary>Bytes in order: appended at the end, taken from the front.</summary>
internal sealed class ByteQueue
{
    private byte[] _bytes = new byte[4096];
    private int _start;
    private int _end;

    public int Count => _end - _start;

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(_start, Count);

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(_start, Count);

    public void Append(ReadOnlySpan<byte> data)
    {
        if (_end + data.Length > _bytes.Length)
        {
            byte[] target = Count + data.Length > _bytes.Length / 2
                ? new byte[Math.Max(_bytes.Length * 2, (Count + data.Length) * 2)]
                : _bytes;
            Span.CopyTo(target);
            _end = Count;
            _start = 0;
            _bytes = target;
        }

        data.CopyTo(_bytes.AsSpan(_end));
        _end += data.Length;
    }

    public void Take(int count)
    {
        _start += count;
        if (_start == _end)
        {
            _start = 0;
            _end = 0;
        }
    }

    public void Clear()
    {
        _start = 0;
        _end = 0;
    }
}
