"""The table that comes along: abbreviations of offices, papers and daily life, as a Southern announcer says them.

One a line: `written = spoken`; with `| other` it is doubtful wherever it stands. Provinces and stations add their own
(`glossary.Layer`). What is not here is spelled and told.
"""

from __future__ import annotations

from functools import cache

from broadcasts.domain.reading.glossary import Entry, Glossary, Layer

_OFFICES = """
UBND = Ủy ban nhân dân
HĐND = Hội đồng nhân dân
TT.HĐND = Thường trực Hội đồng nhân dân
TT.UBND = Thường trực Ủy ban nhân dân
UBMTTQ = Ủy ban Mặt trận Tổ quốc
UBMTTQVN = Ủy ban Mặt trận Tổ quốc Việt Nam
MTTQ = Mặt trận Tổ quốc
MTTQVN = Mặt trận Tổ quốc Việt Nam
BCH = Ban Chấp hành | Ban Chỉ huy
BCH Quân sự = Ban Chỉ huy Quân sự
BCH PCTT = Ban Chỉ huy phòng, chống thiên tai
BCH PCTT&TKCN = Ban Chỉ huy phòng, chống thiên tai và tìm kiếm cứu nạn
BCH PTDS = Ban Chỉ huy Phòng thủ dân sự
BCH Đảng bộ = Ban Chấp hành Đảng bộ
BCH Công đoàn = Ban Chấp hành Công đoàn
BCH Đoàn = Ban Chấp hành Đoàn
CHQS = Chỉ huy Quân sự
Đoàn TN = Đoàn Thanh niên
BCHQS = Ban Chỉ huy Quân sự
BCĐ = Ban Chỉ đạo
BTC = Ban Tổ chức | Bộ Tài chính
BTV = Ban Thường vụ
BQL = Ban quản lý
BND = Ban nhân dân
TAND = Tòa án nhân dân
VKSND = Viện Kiểm sát nhân dân
THADS = Thi hành án dân sự
CA = Công an | ca
CAX = Công an xã
CAND = Công an nhân dân
QĐND = Quân đội nhân dân
LLVT = lực lượng vũ trang
CSGT = Cảnh sát giao thông
CSKV = Cảnh sát khu vực
CSPCCC = Cảnh sát phòng cháy chữa cháy
ANTT = an ninh trật tự
TTATXH = trật tự an toàn xã hội
TTATGT = trật tự an toàn giao thông
ATGT = an toàn giao thông
ANTQ = an ninh Tổ quốc
DQTV = dân quân tự vệ
NVQS = nghĩa vụ quân sự
BĐBP = Bộ đội Biên phòng
LHPN = Liên hiệp Phụ nữ
HLHPN = Hội Liên hiệp Phụ nữ
CCB = Cựu chiến binh
TNCS = Thanh niên Cộng sản
TNCSHCM = Thanh niên Cộng sản Hồ Chí Minh
TNXP = thanh niên xung phong
ĐVTN = đoàn viên thanh niên
LĐLĐ = Liên đoàn Lao động
NCT = người cao tuổi
CTĐ = Chữ thập đỏ
HTX = hợp tác xã
THT = tổ hợp tác
TNHH = trách nhiệm hữu hạn
MTV = một thành viên
CLB = câu lạc bộ
NHCSXH = Ngân hàng Chính sách xã hội
KBNN = Kho bạc Nhà nước
NSNN = ngân sách nhà nước
TTYT = Trung tâm Y tế
TYT = Trạm Y tế
BVĐK = Bệnh viện đa khoa
BV = bệnh viện | bảo vệ
TTVH = Trung tâm Văn hóa
PT-TH = Phát thanh và Truyền hình
PTTH = Phát thanh và Truyền hình | phổ thông trung học
THPT = trung học phổ thông
THCS = trung học cơ sở
GDTX = giáo dục thường xuyên
GD&ĐT = Giáo dục và Đào tạo
GDĐT = Giáo dục và Đào tạo
GD-ĐT = Giáo dục và Đào tạo
NN&PTNT = Nông nghiệp và Phát triển nông thôn
NN-PTNT = Nông nghiệp và Phát triển nông thôn
NNPTNT = Nông nghiệp và Phát triển nông thôn
NN&MT = Nông nghiệp và Môi trường
NN-MT = Nông nghiệp và Môi trường
TN&MT = Tài nguyên và Môi trường
TNMT = Tài nguyên và Môi trường
VHTT = văn hóa thông tin
VHTT&DL = Văn hóa, Thể thao và Du lịch
VHTTDL = Văn hóa, Thể thao và Du lịch
VH-TT = văn hóa, thể thao | văn hóa, thông tin
VH-XH = văn hóa, xã hội
LĐTBXH = Lao động, Thương binh và Xã hội
LĐ-TB&XH = Lao động, Thương binh và Xã hội
LĐTB&XH = Lao động, Thương binh và Xã hội
TT&TT = Thông tin và Truyền thông
KH&CN = Khoa học và Công nghệ
KHCN = khoa học công nghệ
TTPVHCC = Trung tâm Phục vụ hành chính công
TTHCC = Trung tâm hành chính công
GTVT = giao thông vận tải
GTNT = giao thông nông thôn
EVN = e vê en-nờ
VOV = vê ô vê
VTV = vê tê vê
VNPT = vê en-nờ pê tê
"""

_MATTERS = """
PCTT&TKCN = phòng, chống thiên tai và tìm kiếm cứu nạn
PCTT-TKCN = phòng, chống thiên tai và tìm kiếm cứu nạn
PCTT = phòng, chống thiên tai
TKCN = tìm kiếm cứu nạn
PTDS = phòng thủ dân sự
PCCC = phòng cháy, chữa cháy
PCCC&CNCH = phòng cháy, chữa cháy và cứu nạn, cứu hộ
CNCH = cứu nạn, cứu hộ
ATTP = an toàn thực phẩm
VSATTP = vệ sinh an toàn thực phẩm
VSMT = vệ sinh môi trường
BVMT = bảo vệ môi trường
BVTV = bảo vệ thực vật
BHYT = bảo hiểm y tế
BHXH = bảo hiểm xã hội
BHTN = bảo hiểm thất nghiệp
BTXH = bảo trợ xã hội
CCCD = căn cước công dân
CMND = chứng minh nhân dân
GPLX = giấy phép lái xe
GCN = giấy chứng nhận
QSDĐ = quyền sử dụng đất
GCNQSDĐ = giấy chứng nhận quyền sử dụng đất
SDĐ = sử dụng đất
SDĐPNN = sử dụng đất phi nông nghiệp
TNCN = thu nhập cá nhân
GTGT = giá trị gia tăng
MST = mã số thuế
STK = số tài khoản
TTHC = thủ tục hành chính
CCHC = cải cách hành chính
DVC = dịch vụ công
CNTT = công nghệ thông tin
CĐS = chuyển đổi số
NTM = nông thôn mới
XDNTM = xây dựng nông thôn mới
OCOP = ô-cốp
DTTS = dân tộc thiểu số
KT-XH = kinh tế, xã hội
KTXH = kinh tế, xã hội
QP-AN = quốc phòng, an ninh
QPAN = quốc phòng, an ninh
ANQP = an ninh, quốc phòng
SXKD = sản xuất, kinh doanh
SXNN = sản xuất nông nghiệp
TDTT = thể dục thể thao
TDP = tổ dân phố
KDC = khu dân cư
KCN = khu công nghiệp
KP = khu phố
ĐBSCL = Đồng bằng sông Cửu Long
CHXHCN = Cộng hòa xã hội chủ nghĩa
XHCN = xã hội chủ nghĩa
ĐCSVN = Đảng Cộng sản Việt Nam
HCM = Hồ Chí Minh
TP.HCM = Thành phố Hồ Chí Minh
TP. HCM = Thành phố Hồ Chí Minh
TPHCM = Thành phố Hồ Chí Minh
VN = Việt Nam
TW = Trung ương
TƯ = Trung ương
SXH = sốt xuất huyết
TCM = tay chân miệng
HIV/AIDS = hát i vê ết
HIV = hát i vê
AIDS = ết
COVID-19 = cô-vít mười chín
Covid-19 = cô-vít mười chín
covid = cô-vít
ASF = bệnh dịch tả heo châu Phi | a ét-sì ép-phờ
ST25 = ét-sì tê hai mươi lăm
ST24 = ét-sì tê hai mươi tư
SĐT = số điện thoại
ÂL = âm lịch
DL = dương lịch | du lịch
BCVT = bưu chính viễn thông
TBNN = trung bình nhiều năm
ĐBQH = đại biểu Quốc hội
ONT = ở nông thôn
ODT = ở đô thị
CLN = cây lâu năm
BKS = biển kiểm soát
H5N1 = hát năm en-nờ một
H1N1 = hát một en-nờ một
A/H5N1 = A hát năm en-nờ một
A/H1N1 = A hát một en-nờ một
CNQSDĐ = chứng nhận quyền sử dụng đất
HCV = huy chương vàng
HCB = huy chương bạc
HCĐ = huy chương đồng
LĐPT = lao động phổ thông
NPK = en-nờ pê ca
DAP = đáp | dê a pê
Cty = công ty
ông/bà = ông, bà
và/hoặc = và hoặc
SN = sinh năm | số nhà
VTV3 = vê tê vê ba
UAV = máy bay không người lái
QR = quy e-rờ
ATM = a tê em-mờ
SMS = tin nhắn
SIM = sim
FM = ép-phờ em-mờ
VNeID = vê en-nờ e i đê
VssID = vê ét-sì ét-sì i đê
Zalo = da-lô
Facebook = phây-búc
Wifi = quai-phai
wifi = quai-phai
wi-fi = quai-phai
pH = pê hát
email = i-meo
e-mail = i-meo
"""

_SHORT = """
TP = thành phố
TX = thị xã
TT = thị trấn | trung tâm | thông tư | thông tin
CN = Chủ nhật | công nghiệp | chi nhánh
T2 = thứ hai | tháng hai | tê hai
T3 = thứ ba | tháng ba | tê ba
T4 = thứ tư | tháng tư | tê bốn
T5 = thứ năm | tháng năm | tê năm
T6 = thứ sáu | tháng sáu | tê sáu
T7 = thứ bảy | tháng bảy | tê bảy
TH = tiểu học | trường hợp | truyền hình
MN = mầm non | miền Nam
MG = mẫu giáo
VP = văn phòng | vi phạm
DN = doanh nghiệp
ND = nhân dân | nông dân | nội dung
QH = Quốc hội | quy hoạch
CP = Chính phủ | cổ phần
UB = ủy ban
XD = xây dựng
LĐ = lao động
TB = thông báo | thương binh | trung bình
KH = kế hoạch | khách hàng | khoa học
QĐ = quyết định
NĐ = nghị định
NQ = nghị quyết
CT = chỉ thị | chủ tịch | chương trình
PCT = phó chủ tịch
BT = bí thư | bình thường
CV = công văn
GM = giấy mời
BC = báo cáo
TTg = Thủ tướng
ĐT = điện thoại | đường tỉnh
đt = điện thoại | đường tỉnh
BĐ I = báo động một
BĐ II = báo động hai
BĐ III = báo động ba
BĐI = báo động một
BĐII = báo động hai
BĐIII = báo động ba
BĐ1 = báo động một
BĐ2 = báo động hai
BĐ3 = báo động ba
HK = học kỳ | hộ khẩu
HKI = học kỳ một
HKII = học kỳ hai
BĐ = bản đồ | báo động | bưu điện
ĐH = đại học | đại hội
KK = kê khai | khó khăn
ThS = thạc sĩ
ThS. = thạc sĩ
Th.S = thạc sĩ
TS = tiến sĩ | tài sản | thủy sản
TS. = tiến sĩ
PGS.TS = phó giáo sư, tiến sĩ
GS.TS = giáo sư, tiến sĩ
BS = bác sĩ
BS. = bác sĩ
BSCKI = bác sĩ chuyên khoa một
BSCKII = bác sĩ chuyên khoa hai
KS. = kỹ sư
đ/c = đồng chí
ô/b = ông, bà
v/v = về việc
v.v. = vân vân
v.v = vân vân
v.v… = vân vân
v.v... = vân vân
vd: = ví dụ:
k/g = kính gửi
GĐ = gia đình | giám đốc | giai đoạn
HS = học sinh | hồ sơ
GV = giáo viên
PH = phụ huynh
SV = sinh viên
CB = cán bộ | cảnh báo
CBCC = cán bộ, công chức
CBCCVC = cán bộ, công chức, viên chức
CBCNV = cán bộ, công nhân viên
"""


def _entries(table: str) -> list[Entry]:
    found = []
    for line in table.strip().splitlines():
        written, _, spoken = line.partition(" = ")
        first, *others = spoken.split(" | ")
        found.append(Entry(written, first, alternatives=tuple(others)))
    return found


@cache
def built_in() -> tuple[Entry, ...]:
    return (*_entries(_OFFICES), *_entries(_MATTERS), *_entries(_SHORT))


@cache
def plain_glossary() -> Glossary:
    """The built-in table alone."""
    return Glossary({Layer.BUILT_IN: built_in()})
